"""`aisbx cache`: what projects keep is seen and removed, and a run never loses what it is using."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from .conftest import Project
from .test_caches import LOOK, POISON

FILL = f"{POISON}; head -c 1M /dev/zero > /var/cache/large"


def cache(project: Project, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", "-m", "aisbx", "cache", *arguments],
        cwd=project.directory,
        env=project.environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def told(project: Project, *arguments: str) -> dict[str, Any]:
    done = cache(project, *arguments, "--json")
    assert (done.returncode, done.stderr, done.stdout.count("\n")) == (0, "", 1), done.stdout + done.stderr
    return json.loads(done.stdout)


def names(said: dict[str, Any], key: str) -> list[str]:
    return [each["name"] for each in said[key]]


def places(project: Project) -> list[Path]:
    return sorted((project.home / ".cache/aisbx/projects").iterdir())


def rm(path: Path) -> None:
    subprocess.run(["rm", "-r", path], check=True)


def test_without_any_cache_nothing_is_listed_removed_or_made(project: Project) -> None:
    assert told(project, "list") == {"caches": [], "bytes": 0}
    assert list(project.home.iterdir()) == [project.directory.parent]
    assert "removed 0 caches" in cache(project, "prune", "--all").stdout


def test_each_cache_is_listed_with_its_project_profile_size_and_last_use(project: Project) -> None:
    before = time.time()
    project.say("python-dev", "sh", "-c", FILL)
    other = project.another("other\x1b[31m")
    other.say("python-dev+offline", "true")
    said = told(project, "list")["caches"]
    assert [each["project"] for each in said] == [str(project.directory), str(other.directory)]
    assert [each["profiles"] for each in said] == [["python-dev"]] * 2
    assert [each["state"] for each in said] == ["kept", "kept"]
    assert 1 << 20 <= said[0]["bytes"] < 2 << 20
    assert before - 1 < said[0]["last_used"] <= said[1]["last_used"] <= time.time()
    shown = cache(project, "list").stdout
    assert "\x1b" not in shown
    assert shown.splitlines()[0].split() == ["SIZE", "LAST", "USED", "STATE", "PROFILE", "PROJECT"]
    assert "2 caches, 1" in shown.splitlines()[-1]


def test_a_run_that_only_reads_its_cache_has_used_it_also_with_a_plan(project: Project) -> None:
    project.say("python-dev", "sh", "-c", POISON)
    project.say("python-dev", "cat", "/var/cache/npm/planted")
    time.sleep(1)
    again = time.time()
    project.say("python-dev", "cat", "/var/cache/npm/planted")
    (said,) = told(project, "list")["caches"]
    assert said["last_used"] >= again
    assert told(project, "prune", "--older-than", "1h")["removed"] == []
    time.sleep(1)
    assert names(told(project, "prune", "--older-than", "1s"), "removed") == [said["name"]]


def test_a_cache_that_was_pruned_is_made_anew_also_under_a_plan(project: Project) -> None:
    for _ in range(2):
        project.say("python-dev", "sh", "-c", FILL)
        assert told(project, "prune", "--all")["freed_bytes"] >= 1 << 20
        assert places(project) == []
    assert project.say("python-dev", "sh", "-c", LOOK) == "clean\n"
    assert told(project, "list")["caches"][0]["project"] == str(project.directory)


def test_caches_whose_project_is_gone_are_what_is_removed_by_default(project: Project) -> None:
    other, replaced = project.another("other"), project.another("replaced")
    for each in (project, other, replaced):
        each.say("python-dev", "true")
    rm(other.directory)
    replaced.directory.rename(replaced.directory.with_name("was"))
    replaced.directory.mkdir()
    dry = cache(project, "prune", "--dry-run").stdout
    assert "would remove 2 caches" in dry
    assert str(other.directory) in dry
    assert len(places(project)) == 3
    assert {each["project"] for each in told(project, "prune")["removed"]} == {
        str(other.directory),
        str(replaced.directory),
    }
    assert [each["project"] for each in told(project, "list")["caches"]] == [str(project.directory)]


def test_the_caches_of_one_project_or_the_longest_unused_can_be_removed(project: Project) -> None:
    other, third = project.another("other"), project.another("third")
    for each in (project, other, third):
        each.say("python-dev", "sh", "-c", FILL)
    said = told(other, "prune", ".")
    assert [each["project"] for each in said["removed"]] == [str(other.directory)]
    said = told(other, "prune", "--keep", "1500K")
    assert [each["project"] for each in said["removed"]] == [str(project.directory)]
    assert len(places(project)) == 1


def test_a_cache_that_a_sandbox_is_using_stays(project: Project) -> None:
    here = str(project.directory)
    script = "echo kept > /var/cache/note; echo ready; read line; cat /var/cache/note"
    with subprocess.Popen(
        [sys.executable, "-I", "-m", "aisbx", "run", "-p", "python-dev", "--", "sh", "-c", script],
        cwd=project.directory,
        env=project.environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdin
        assert running.stdout
        assert running.stdout.readline() == "ready\n"
        assert [each["state"] for each in told(project, "list")["caches"]] == ["in use"]
        for rule in (["--all"], ["."], ["--older-than", "0.001s"]):
            said = told(project, "prune", *rule)
            assert (said["removed"], [each["project"] for each in said["in_use"]]) == ([], [here])
        assert told(project, "prune", "--keep", "1")["removed"] == []
        assert "kept 1 cache, 8K, in use by a sandbox" in cache(project, "prune", "--all").stdout
        running.stdin.write("go on\n")
        running.stdin.close()
        assert running.stdout.read() == "kept\n"
    assert running.returncode == 0
    assert [each["project"] for each in told(project, "prune", "--all")["removed"]] == [here]


def test_what_a_command_has_planted_in_its_cache_leads_nowhere(project: Project) -> None:
    victim = project.home / "victim"
    victim.mkdir(mode=0o500)
    script = (
        f"cd /var/cache; ln -s {victim} link; ln -s {victim}/file file; mkdir -p closed/inner; ln -s {victim} closed/up"
        "; chmod 0 closed/inner closed; for n in $(seq 500); do mkdir d && cd d; done"
    )
    project.say("python-dev", "sh", "-c", script)
    told(project, "list")
    assert len(told(project, "prune", "--all")["removed"]) == 1
    assert victim.stat().st_mode & 0o777 == 0o500
    assert places(project) == []


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--all", "."], "--all removes every cache"),
        (["--all", "--keep", "1G"], "--all removes every cache"),
        (["--older-than", "soon"], "--older-than: 'soon' is not a duration"),
        (["--older-than", "0"], "is not more than zero"),
        (["--keep", "-1"], "--keep: '-1' is not a size"),
    ],
)
def test_a_rule_that_makes_no_sense_removes_nothing(arguments: list[str], line: str, project: Project) -> None:
    made = project.home / ".cache/aisbx/projects" / ("a" * 32)
    made.mkdir(parents=True)
    done = cache(project, "prune", *arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (125, "", 1), done.stdout + done.stderr
    assert done.stderr.startswith("aisbx: usage: ")
    assert line in done.stderr
    assert made.is_dir()
