"""An ordinary day with Node.js inside `node-dev`."""

import json
import re
import subprocess

import pytest

from .conftest import Project, need

OFFLINE = "npm_config_offline=false"
REGISTRY = "http://127.0.0.1:4873"


@pytest.fixture(autouse=True)
def node() -> str:
    return need("node")


def ok(said: str) -> int:
    """Give how many tests of node:test passed; nothing else may have happened to any."""
    counts = dict(re.findall(r"^# (\w+) (\d+)", said, re.MULTILINE))
    assert {counts[name] for name in ("fail", "cancelled", "skipped", "todo")} == {"0"}, said
    return int(counts["pass"])


def test_the_test_runner_and_all_that_it_starts_work_as_outside(project: Project, node: str) -> None:
    project.copy("node/day.test.mjs", "day.test.mjs")
    command = ("--test", "--test-reporter=tap")
    inside = project.say("node-dev", "node", *command)
    outside = subprocess.run(
        [node, *command], cwd=project.directory, env=project.environ, capture_output=True, text=True, check=True
    )
    assert ok(inside) == ok(outside.stdout) == 13
    assert [path.name for path in project.directory.iterdir()] == ["day.test.mjs"]


def test_interfaces_are_closed_without_the_group_that_the_profile_adds(project: Project) -> None:
    script = "console.log(Object.keys(require('os').networkInterfaces()))"
    assert "lo" in project.say("node-dev", "node", "-e", script)
    assert project.run("base", "node", "-e", script).returncode != 0


def test_packages_are_packed_and_installed_from_a_file_without_a_network(project: Project) -> None:
    need("npm")
    project.copy("node/greeting", "greeting")
    project.write("package.json", json.dumps({"name": "app", "version": "1.0.0"}))
    script = """
        npm pack --silent ./greeting && npm install --silent ./greeting-1.0.0.tgz && rm -r node_modules
        npm ci --silent && node -e "console.log(require('greeting')('npm'))"
    """
    assert project.say("node-dev", "sh", "-euc", script).splitlines() == ["greeting-1.0.0.tgz", "hello, npm"]


def test_what_one_run_downloads_the_next_installs_offline_from_the_cache_of_the_project(project: Project) -> None:
    need("npm")
    for name in ("greeting", "registry.mjs"):
        project.copy(f"node/{name}", name)
    project.write("package.json", json.dumps({"name": "app", "version": "1.0.0"}))
    project.write(".npmrc", f"registry={REGISTRY}\naudit=false\n")
    project.say("node-dev", "npm", "pack", "--silent", "./greeting")
    install = ("node", "registry.mjs", "greeting-1.0.0.tgz", "npm", "install", "--silent", "greeting@1.0.0")
    project.say("node-dev", *install, options=("-e", OFFLINE))
    for left in ("greeting-1.0.0.tgz", "greeting"):
        subprocess.run(["rm", "-r", project.directory / left], check=True)
    project.say("node-dev", "sh", "-euc", "rm -r node_modules; npm ci --silent")
    assert project.say("node-dev", "node", "-p", "require('greeting')('cache')") == "hello, cache\n"
    other = project.another("other")
    for name in ("package.json", "package-lock.json", ".npmrc"):
        (other.directory / name).write_bytes((project.directory / name).read_bytes())
    refused = other.run("node-dev", "npm", "ci")
    assert "ENOTCACHED" in refused.stderr, "another project's cache has it"


def test_npm_says_at_once_that_there_is_no_network(project: Project) -> None:
    need("npm")
    project.write("package.json", "{}")
    done = project.run("node-dev", "npm", "install", "left-pad", options=("-t", "30s"))
    assert done.returncode == 1
    assert "ENOTCACHED" in done.stderr


def test_scripts_of_a_package_run_with_their_own_programs_first(project: Project) -> None:
    need("npm")
    project.write("package.json", json.dumps({"name": "app", "scripts": {"hi": "hi", "test": "node --test"}}))
    project.write("node_modules/.bin/hi", "#!/bin/sh\necho from the package\n").chmod(0o755)
    project.write("app.test.js", "require('node:test')('passes', () => {})")
    assert project.say("node-dev", "npm", "run", "--silent", "hi") == "from the package\n"
    project.say("node-dev", "npm", "test", "--silent")


def test_the_inspector_of_node_works_without_ptrace(project: Project) -> None:
    project.write("app.js", "let answer = 42;\ndebugger;\nconsole.log(answer);\n")
    script = "(sleep 1; echo cont; sleep 1; echo 'exec answer'; sleep 1; echo .exit) | node inspect app.js"
    assert "42" in project.say("node-dev", "sh", "-c", script)
