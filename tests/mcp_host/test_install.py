"""Clients' configuration files: ours goes in and out, and the rest stays to the byte or is not touched at all."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from aisbx.errors import ConfigError
from aisbx_mcp.clients import merge
from aisbx_mcp.clients.check import examine
from aisbx_mcp.clients.known import Client, clients
from aisbx_mcp.command import app
from typer.testing import CliRunner

from tests.mcp_host.conftest import Home

ENTRY: dict[str, object] = {"command": "/opt/aisbx-mcp", "args": ["--transport", "stdio"]}
NAMES = ["claude-desktop", "claude-code", "cursor", "vscode", "codex"]
JSON_BEFORE = '{\n  "theme": "dark",\n  "TABLE": {\n    "other": {\n      "command": "x"\n    }\n  },\n  "ü": 1\n}\n'
TOML_BEFORE = '# mine\nmodel = "m"  # keep\n\n[mcp_servers.other]\ncommand = "x"\n'


def client_of(name: str, home: Path) -> Client:
    return clients({"HOME": str(home)}, "linux")[name]


@pytest.mark.parametrize("name", NAMES)
def test_what_others_wrote_stays_and_is_kept_beside_it(name: str, tmp_path: Path) -> None:
    client = client_of(name, tmp_path)
    before = TOML_BEFORE if client.toml else JSON_BEFORE.replace("TABLE", client.table)
    path = Path(client.path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(before)
    path.chmod(0o640)
    backup = merge.write(client, merge.with_entry(client, before, client.entry("/x", [])), before)
    assert Path(backup).read_text() == before
    now = path.read_text()
    document = tomllib.loads(now) if client.toml else json.loads(now)
    assert document[client.table]["aisbx"]["command"] == "/x"
    assert document[client.table]["other"] == {"command": "x"}
    assert ("type" in document[client.table]["aisbx"]) is client.typed
    assert path.stat().st_mode & 0o777 == 0o640
    assert merge.with_entry(client, now, client.entry("/x", [])) == now
    assert merge.without_entry(client, now).strip() == before.strip()
    assert merge.without_entry(client, before) == before


@pytest.mark.parametrize("text", ["{", '{"mcpServers": []}', "[]", "[" * 20000, '// comment\n{"mcpServers": {}}'])
def test_a_file_that_cannot_be_read_is_not_touched(text: str, tmp_path: Path) -> None:
    client = client_of("cursor", tmp_path)
    with pytest.raises(ConfigError, match=r"cursor/mcp\.json") as refused:
        merge.with_entry(client, text, ENTRY)
    assert "--print" in refused.value.hint


def test_a_link_stays_one_and_an_edit_at_this_moment_is_not_lost(tmp_path: Path) -> None:
    client = client_of("cursor", tmp_path)
    dotfiles = tmp_path / "dotfiles.json"
    dotfiles.write_text("{}")
    Path(client.path).parent.mkdir()
    Path(client.path).symlink_to(dotfiles)
    merge.write(client, merge.with_entry(client, "{}", ENTRY), "{}")
    assert Path(client.path).is_symlink()
    assert json.loads(dotfiles.read_text())["mcpServers"]["aisbx"] == ENTRY
    with pytest.raises(ConfigError, match="changed at this moment"):
        merge.write(client, "{}", "{}")
    assert json.loads(dotfiles.read_text())["mcpServers"]["aisbx"] == ENTRY
    assert not list(tmp_path.glob("*.tmp"))


def test_what_is_read_only_stays_and_nothing_that_was_kept_is_lost(tmp_path: Path) -> None:
    client = client_of("cursor", tmp_path)
    path = Path(client.path)
    path.parent.mkdir()
    path.write_text("{}")
    first = merge.write(client, '{"a": 1}', "{}")
    second = merge.write(client, "{}", '{"a": 1}')  # within the same second, mostly
    assert (Path(first).read_text(), Path(second).read_text()) == ("{}", '{"a": 1}')
    path.chmod(0o444)
    before = sorted(path.parent.iterdir())
    with pytest.raises(ConfigError, match="it is read-only") as refused:
        merge.write(client, merge.with_entry(client, "{}", ENTRY), "{}")
    assert "--print" in refused.value.hint
    assert (sorted(path.parent.iterdir()), path.read_text()) == (before, "{}")


@pytest.mark.parametrize(
    ("platform", "environ", "path"),
    [
        ("linux", {"HOME": "/h"}, "/h/.config/Claude/claude_desktop_config.json"),
        ("linux", {"HOME": "/h", "XDG_CONFIG_HOME": "/c"}, "/c/Claude/claude_desktop_config.json"),
        ("darwin", {"HOME": "/h"}, "/h/Library/Application Support/Claude/claude_desktop_config.json"),
        ("win32", {"USERPROFILE": "/h", "APPDATA": "/a"}, "/a/Claude/claude_desktop_config.json"),
    ],
)
def test_where_a_client_keeps_it(platform: str, environ: dict[str, str], path: str) -> None:
    assert clients(environ, platform)["claude-desktop"].path == path


def test_the_command_puts_it_in_shows_that_it_works_and_takes_it_out(home: Home) -> None:
    def aisbx(*words: str) -> str:
        command = [sys.executable, "-I", "-m", "aisbx", "mcp", *words]
        done = subprocess.run(command, env=home.env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    config = home.path / ".cursor/mcp.json"
    assert '"--profile"' in aisbx("install", "--client", "cursor", "--print", "--", "--profile", "shell")
    assert not config.exists()
    aisbx("install", "--client", "cursor", "--", "--profile", "shell")
    entry = json.loads(config.read_text())["mcpServers"]["aisbx"]
    assert os.access(entry["command"], os.X_OK)
    assert entry["args"] == ["--transport", "stdio", "--profile", "shell"]
    assert "ok       Cursor" in aisbx("check", "--client", "cursor")
    aisbx("install", "--client", "cursor", "--uninstall")
    assert json.loads(config.read_text()) == {"mcpServers": {}}


def test_of_all_those_that_can_be_told_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_CONFIG_HOME", "CODEX_HOME"):
        monkeypatch.delenv(name, raising=False)
    every = clients({"HOME": str(tmp_path)}, sys.platform)
    for name in ("claude-code", "codex"):
        path = Path(every[name].path)
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
        path.chmod(0o444)
    called = CliRunner().invoke(app, ["install", "--client", "all"])
    assert str(called.exception) == "2 of 5 clients were left as they are"
    assert [line.partition("; ")[0].rpartition(": ")[2] for line in called.stderr.splitlines()] == [
        "it is read-only"
    ] * 2
    told = {name for name, client in every.items() if "aisbx" in merge.read(client)}
    assert told == {"claude-desktop", "cursor", "vscode"}


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"command": "aisbx-mcp"}, "cannot be executed"),
        ({"command": "/bin/true"}, "does not answer"),
        ({"command": "/bin/cat", "args": []}, "does not answer|no sandbox"),
        ({"command": sys.executable, "args": ["-m", "aisbx_mcp", "--profile", "nope"]}, "nope"),
    ],
)
def test_it_is_said_why_a_client_cannot_connect(entry: dict[str, object], said: str, tmp_path: Path) -> None:
    client = client_of("cursor", tmp_path)
    environ = {"HOME": str(tmp_path), "PATH": "/usr/bin"}
    assert examine(client, environ)[0] == "absent"
    merge.write(client, json.dumps({"mcpServers": {"aisbx": entry}}), "")
    level, told = examine(client, environ)
    assert level == "failed"
    assert any(one in told for one in said.split("|")), told
