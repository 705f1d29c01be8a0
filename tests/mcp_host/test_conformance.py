"""The official conformance suite, and the Inspector's command line, against a server as it is started in earnest.

What the suite wants to find comes from a distribution of its own, tests/thirdparty/aisbx-mcp-conformance.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.mcp_host.conftest import SERVER, Home
from tests.mcp_host.fixtures import with_fixtures
from tests.mcp_host.nodes import CONFORMANCE, INSPECTOR, Programs, installed
from tests.mcp_host.serving import Served, serving

REQUIRED = {"2025-11-25": 30, "2026-07-28": 37}
"""Revision → how many scenarios of a server it requires, as the suite has them frozen."""


@pytest.fixture(scope="session")
def programs() -> Programs:
    return installed()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("conformance"))
    settings = home.path / ".config/aisbx/config.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text("[admission.rate]\nrun = 100000\nfiles = 100000\nprotocol = 100000\n")
    return home


@pytest.fixture(scope="module")
def served(home: Home) -> Iterator[Served]:
    with with_fixtures(home.path / "site"), serving(home, "--no-auth", "--profile", "python-dev") as found:
        yield found


@pytest.mark.parametrize("revision", REQUIRED)
def test_every_scenario_that_a_revision_requires_passes(
    revision: str, programs: Programs, served: Served, tmp_path: Path
) -> None:
    argv = [*programs.argv(CONFORMANCE), "server", "--url", served.url, "--requirements", revision, "-o", "results"]
    done = programs.run(argv, tmp_path)
    required = set(
        yaml.safe_load((programs.modules / CONFORMANCE / f"requirements/{revision}.yaml").read_text())["server"]
    )
    assert len(required) == REQUIRED[revision]
    passed = set(re.findall(r"^\S ([\w-]+): [1-9]\d* passed, 0 failed$", done.stdout, re.MULTILINE))
    assert required <= passed, _wrong(tmp_path / "results", required - passed) or done.stdout + done.stderr
    assert done.returncode == 0


def _wrong(results: Path, scenarios: set[str]) -> str:
    checks = [
        (name, check)
        for name in sorted(scenarios)
        for file in results.glob(f"server-{name}-2*/checks.json")
        for check in json.loads(file.read_text())
    ]
    return "\n".join(
        f"{name}: {check['id']}: {check.get('errorMessage')}" for name, check in checks if check["status"] == "FAILURE"
    )


def test_the_inspector_lists_and_calls_tools_over_both_transports(
    programs: Programs, served: Served, home: Home, tmp_path: Path
) -> None:
    servers = {
        "stdio": {"command": SERVER[0], "args": [*SERVER[1:], "--profile", "python-dev"], "env": home.env},
        "http": {"type": "streamable-http", "url": served.url},
    }
    (tmp_path / "mcp.json").write_text(json.dumps({"mcpServers": servers}))
    inspector = [*programs.argv(INSPECTOR), "--cli", "--config", "mcp.json", "--format", "json"]
    for name in servers:
        listed = programs.run([*inspector, "--server", name, "--method", "tools/list"], tmp_path)
        assert listed.returncode == 0, listed.stdout + listed.stderr
        tools = {tool["name"]: tool for tool in json.loads(listed.stdout)["result"]["tools"]}
        assert tools["run_command"]["inputSchema"]["additionalProperties"] is False
        call = ["--method", "tools/call", "--tool-name", "run_command", "--tool-arg", "command=echo 6$((3*4))"]
        called = programs.run([*inspector, "--server", name, *call], tmp_path)
        assert called.returncode == 0, called.stdout + called.stderr
        assert json.loads(called.stdout)["result"]["content"][0]["text"].endswith("612\n")
