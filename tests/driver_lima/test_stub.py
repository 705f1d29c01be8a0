"""What is done where limactl fails, by a stub of it: it keeps an instance's state in a file, and boots nothing."""

import json
import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aisbx.errors import DriverUnavailableError, StateError
from aisbx_driver_lima import command, machine, qemu
from aisbx_driver_lima.configuration import read
from aisbx_driver_lima.limactl import Limactl
from aisbx_driver_lima.machine import Machine

from tests.driver_lima.test_refusals import image_in

STUB = """#!{python}
import json, os, sys, time
home = os.environ["LIMA_HOME"]
words = sys.argv[2:]
with open(home + "/said", "a") as log:
    log.write(json.dumps([words, dict(os.environ)]) + "\\n")
state = home + "/state"
fails = open(home + "/fails").read().split() if os.path.exists(home + "/fails") else []
if words[0] == "create":
    sys.stdin.read()
    open(state, "w").write("Stopped")
if words[0] in fails:
    if "hangs" in fails:
        time.sleep(60)
    print("level=fatal it went wrong", file=sys.stderr)
    sys.exit(1)
if words[0] == "start":
    open(state, "w").write("Running")
elif words[0] == "delete" and os.path.exists(state):
    os.unlink(state)
elif words[0] == "list" and os.path.exists(state):
    print(json.dumps({{"name": "aisbx", "status": open(state).read(), "dir": home}}))
"""


@dataclass
class Stub:
    home: Path
    settings: dict[str, object]

    @property
    def machine(self) -> Machine:
        return Machine(read(self.settings), {**os.environ, "HTTP_PROXY": "http://proxy.example", "TOKEN": "secret"})

    def fails(self, *words: str) -> None:
        (self.home / "fails").write_text(" ".join(words))

    def is_in(self, state: str, made: str = "") -> None:
        (self.home / "state").write_text(state)
        if made:
            (self.home / "made").write_text(made)

    def said(self) -> list[tuple[list[str], dict[str, str]]]:
        return [tuple(json.loads(line)) for line in (self.home / "said").read_text().splitlines()]

    def commands(self) -> list[str]:
        return [words[0] for words, _ in self.said() if words[0] != "list"]


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stub:
    def none(*_: Any, **__: Any) -> tuple[str, str]:
        return "", ""

    def found(arch: str) -> str:
        return f"/bin/{arch}"

    program, home = tmp_path / "limactl", tmp_path / "h"
    program.write_text(STUB.format(python=sys.executable))
    program.chmod(0o755)
    home.mkdir(mode=0o700)
    monkeypatch.setattr(machine, "hindrance", none)  # root may not, and the path is longer than a socket's
    monkeypatch.setattr(qemu, "find", found)
    image = image_in(tmp_path / "image")
    settings = {"cache_dir": str(tmp_path), "home": str(home), "limactl": str(program), "image": str(image)}
    return Stub(home, {**settings, "start": 10})


@pytest.mark.parametrize("failing", ["create", "start"])
def test_one_that_does_not_come_up_is_taken_away(stub: Stub, failing: str) -> None:
    stub.fails(failing)
    with pytest.raises(DriverUnavailableError, match=f"limactl {failing}: level=fatal it went wrong"):
        stub.machine.connect()
    assert stub.machine.status() == "absent"
    assert stub.commands() == [*(["create", "start"] if failing == "start" else ["create"]), "delete"]
    assert not (stub.home / "made").exists()


@pytest.mark.parametrize(("state", "made"), [("Running", ""), ("Stopped", "another"), ("Broken", "another")])
def test_one_whose_maker_was_killed_or_that_stands_is_made_anew(stub: Stub, state: str, made: str) -> None:
    stub.is_in(state, made)
    stub.fails("start")
    with pytest.raises(DriverUnavailableError):
        stub.machine.connect()
    assert stub.commands() == ["delete", "create", "start", "delete"]


def test_one_of_another_image_stays_while_sandboxes_that_last_are_in_it(stub: Stub, tmp_path: Path) -> None:
    stub.is_in("Running", "another")
    stub.machine.lasting.add(str(tmp_path))
    for work in (stub.machine.connect, lambda: stub.machine.remove(force=False)):
        with pytest.raises(StateError, match=f"sandboxes that last are in the machine: {tmp_path}"):
            work()
    assert stub.commands() == []
    stub.machine.remove()
    assert (stub.machine.status(), stub.machine.lasting.all()) == ("absent", [])


def test_limactl_has_no_variables_but_those_it_needs(stub: Stub) -> None:
    stub.machine.status()
    ((_, environ),) = stub.said()
    assert environ["LIMA_HOME"] == str(stub.home)
    allowed = {"HOME", "PATH", "USER", "LOGNAME", "TMPDIR", "LIMA_HOME", "LC_ALL", "LC_CTYPE", "PWD", "SHLVL", "_"}
    assert {name for name in environ if not name.startswith("QEMU_SYSTEM_")} <= allowed


def test_one_that_hangs_is_given_up(stub: Stub) -> None:
    stub.fails("start", "hangs")
    with pytest.raises(DriverUnavailableError, match=r"limactl start did not end within 0\.5 s"):
        Limactl(read(stub.settings), os.environ, {}).run("start", "aisbx", seconds=0.5)


@pytest.mark.parametrize("by", ["settings", "environment"])
def test_the_program_looks_where_the_settings_say(
    stub: Stub, by: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stub.is_in("Running", "another")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    named = {name: str(stub.settings[name]) for name in ("home", "limactl", "image")}
    if by == "environment":
        for name, value in named.items():
            monkeypatch.setenv(f"AISBX_DRIVERS__LIMA__{name.upper()}", value)
    else:
        place = tmp_path / ".config/aisbx"
        place.mkdir(parents=True)
        rows = "".join(f"{name} = {json.dumps(value)}\n" for name, value in named.items())
        (place / "config.toml").write_text(f"[drivers.lima]\n{rows}")
    assert command.main(["status"]) == 0
    assert capsys.readouterr().out == "Running\n"
    assert command.main(["stop"]) == 0
    assert capsys.readouterr().out == "absent\n"
    assert stat.S_IMODE(stub.home.stat().st_mode) == 0o700
