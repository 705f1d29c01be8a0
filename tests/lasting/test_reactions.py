"""What a profile wants done about violations is done: to real sandboxes, for what other parts refuse."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aisbx import Sandbox
from aisbx.engine import Engine
from aisbx.engine.giving import give
from aisbx.errors import AisbxError, ConfigError
from aisbx.reactor import LOCK
from aisbx.types import Principal

from tests.core.violations.hooks import Hook, hook

from .conftest import Box, eventually

SECRET = b"what-signs-alerts"
PROFILE = """
extends: base
network: {allow: ["allowed.example:443"]}
violations:
  rules:
    - id: three-names
      severity: critical
      means: asks for three names that it may not have
      source: network
      distinct: host
      count: 3
  reactions:
    wall-time: [record, alert]
    cloud-metadata: pause
    critical: kill
"""
ASK = """
import socket, sys
for name in sys.argv[1:]:
    proxy = socket.create_connection(("127.0.0.1", 3128))
    proxy.sendall(f"CONNECT {name} HTTP/1.1\\r\\nHost: {name}\\r\\n\\r\\n".encode())
    print(proxy.recv(99).split()[1].decode())
"""


def asking(*names: str) -> list[str]:
    """Give the command that asks the proxy for names, and prints what it answers."""
    return ["/usr/bin/python3", "-I", "-S", "-c", ASK, *names]


@pytest.fixture(scope="module")
def alerts() -> Iterator[Hook]:
    with hook() as made:
        yield made


@pytest.fixture(scope="module")
def reacting(whole: Box, alerts: Hook) -> Box:
    config = whole.home / ".config/aisbx"
    (config / "profiles").mkdir(parents=True, mode=0o700)
    (config / "secrets").mkdir(mode=0o700)
    (config / "secrets/hook").write_bytes(SECRET)
    (config / "secrets/hook").chmod(0o600)
    (config / "profiles/strict-net.yaml").write_text(PROFILE)
    (config / "config.toml").write_text(f'[alerts]\nurl = "{alerts.url}"\nsecret = "file:hook"\n')
    for each in (config, *config.rglob("*")):
        each.chmod(0o700 if each.is_dir() else 0o600)
    return whole


def told(box: Box, kind: str, sandbox: str) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (box.state / "audit.jsonl").read_text().splitlines()]
    return [row for row in rows if row["kind"] == kind and sandbox in {row.get("sandbox"), row["run"]}]


def reactor(box: Box, sandbox: str) -> int:
    """Give the pid of who holds the lock (/proc/locks)."""
    inode = (box.state / f"sandboxes/{sandbox}/{LOCK}").stat().st_ino
    rows = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    return next((int(row[4]) for row in rows if row[5].endswith(f":{inode}")), 0)


def test_an_alert_comes_signed_and_says_what_happened(reacting: Box, alerts: Hook) -> None:
    with Sandbox.create("alerts", profile="strict-net") as sandbox:
        sandbox.exec(["sleep", "60"], timeout=0.2, check=False)
        assert eventually(lambda: len(alerts.bodies) > 0)
    (row,) = alerts.rows()
    assert (row["rule"], row["sandbox"], row["what"], row["program"]) == ("wall-time", "alerts", "wall_time", "sleep")
    assert row["principal"] == f"uid:{os.geteuid()}"
    assert alerts.signed_by(SECRET)
    assert SECRET.decode() not in alerts.bodies[0].decode() + str(alerts.headers)
    assert told(reacting, "violation.reaction", "alerts") == []


def test_a_sandbox_is_paused_and_a_profiles_own_rule_ends_one(reacting: Box) -> None:
    with Sandbox.create("reacted", profile="strict-net") as sandbox:
        assert sandbox.exec(asking("169.254.169.254:80"), check=True).text.split() == ["403"]
        assert eventually(lambda: bool(told(reacting, "violation.reaction", "reacted")))
        assert sandbox.paused
        (done,) = told(reacting, "violation.reaction", "reacted")
        assert (done["done"], done["rule"], done["error"], done["host"]) == ("pause", "cloud-metadata", "", "reactor")
        sandbox.resume()
        mine, theirs = Principal(f"uid:{os.geteuid()}"), Principal("key:theirs")
        give(Engine(os.environ, str(reacting.project)), "reacted", mine, theirs, "test")
        sandbox.exec(asking("a.example:1", "b.example:1"), check=True)
        assert told(reacting, "sandbox.end", "reacted") == []
        sandbox.exec(asking("c.example:1"), check=False)
        assert eventually(lambda: bool(told(reacting, "sandbox.end", "reacted")))
    (end,) = told(reacting, "sandbox.end", "reacted")
    assert end["reason"] == "violation"
    assert "ended for what it did: critical/three-names" in end["findings"][0]
    (row,) = [row for row in told(reacting, "violation", "reacted") if row["rule"] == "three-names"]
    assert row["means"] == "asks for three names that it may not have"
    # What knew it before it was given away tells of who has it now.
    refused = {each["egress"]["host"]: each["principal"] for each in told(reacting, "egress.refused", "reacted")}
    assert refused == {"169.254.169.254": mine.id, **dict.fromkeys(("a.example", "b.example", "c.example"), theirs.id)}
    reactions = {each["done"]: each["principal"] for each in told(reacting, "violation.reaction", "reacted")}
    assert reactions == {"pause": mine.id, "kill": theirs.id}
    assert (row["principal"], end["principal"]) == (theirs.id, theirs.id)


def test_a_reactor_that_is_killed_is_missed_and_the_next_goes_on_where_it_was(reacting: Box) -> None:
    with Sandbox.create("again", profile="strict-net") as sandbox:
        os.kill(reactor(reacting, "again"), signal.SIGKILL)
        assert eventually(lambda: not reactor(reacting, "again"))
        sandbox.exec(asking("169.254.169.254:80"), check=True)  # by who has it open already
        assert not sandbox.paused
        other = Sandbox.attach("again")
        assert eventually(lambda: other.paused)
        sandbox.resume()


def test_a_run_under_such_a_profile_ends_and_says_why(reacting: Box) -> None:
    script = f"{ASK}import time; time.sleep(60)"
    names = ["a.example:1", "b.example:1", "c.example:1"]
    done = reacting("run", "-p", "strict-net", "--", "/usr/bin/python3", "-I", "-S", "-c", script, *names)
    assert done.returncode == 128 + signal.SIGKILL, done.stderr
    assert "ended for what it did: critical/three-names" in done.stderr
    assert list((reacting.state / "sandboxes").glob("run-*")) == []


def test_what_cannot_be_done_is_said_before_anything_is_made(reacting: Box) -> None:
    config = reacting.home / ".config/aisbx/config.toml"
    kept = config.read_text()
    try:
        config.write_text("")
        with pytest.raises(ConfigError, match="alerts of violations, and nothing says whom"):
            Sandbox.create("unsaid", profile="strict-net")
        config.write_text('[alerts]\nurl = "http://alerts.example/"\nsecret = "file:hook"\n')
        with pytest.raises(ConfigError, match="is not https"):
            Sandbox.create("unsaid", profile="strict-net")
        config.write_text('[alerts]\nurl = "https://alerts.example/"\nsecret = "file:none"\n')
        with pytest.raises(AisbxError, match="cannot be read"):
            Sandbox.create("unsaid", profile="strict-net")
    finally:
        config.write_text(kept)
    assert "unsaid" not in Sandbox.names()
