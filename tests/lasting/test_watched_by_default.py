"""A sandbox that lasts is watched where nobody says anything of that, at next to no cost; else it says why not."""

import json
import os
import signal
from pathlib import Path

import pytest
from aisbx import Sandbox

from .conftest import Box, eventually, needs_front
from .test_monitor import EPERM, calling, told, watcher

pytestmark = needs_front
PSS = 1024
"""KiB of the program that watches; a recorder is there only while there is something to write."""


def test_it_is_watched_by_a_small_program_that_says_nothing_of_probes(whole: Box) -> None:
    with Sandbox.create("usual") as sandbox:
        program = watcher(whole, "usual")
        assert os.readlink(f"/proc/{program}/exe").endswith("/aisbx-watcher")
        rows = [line.split() for line in Path(f"/proc/{program}/smaps_rollup").read_text().splitlines()]
        assert next(int(row[1]) for row in rows if row[0] == "Pss:") < PSS
        assert not _children(program), "nothing was refused yet"
        done = sandbox.exec(calling(("io_uring_setup", 1, 0), ("mount", "none", "/tmp", "proc", 0, 0)), check=True)
        assert json.loads(done.text)[1] == EPERM
        assert eventually(lambda: bool(told(whole, "usual")))
        assert [(row["what"], row["arguments"].get("target")) for row in told(whole, "usual")] == [("mount", "/tmp")]
    assert eventually(lambda: not Path(f"/proc/{program}").exists())


def test_a_command_of_the_compiled_front_is_watched_and_whoever_watches_is_replaced(whole: Box) -> None:
    whole.out("create", "--name", "front")
    assert whole.json("inspect", "front", "--json")["monitored"] is True
    whole.out("exec", "front", "--", "true")
    hostile = calling(("chroot", "/proc"))
    done = whole.run(whole.front_only("exec", "front", "--", *hostile))
    assert (done.returncode, done.stdout) == (0, f"[{EPERM}]\n"), done.stderr
    assert eventually(lambda: len(told(whole, "front")) == 1)
    [row] = told(whole, "front")
    assert (row["rule"], row["arguments"]) == ("mount", {"path": "/proc"})
    assert len(row["run"]) == 12
    os.kill(watcher(whole, "front"), signal.SIGKILL)
    assert eventually(lambda: not watcher(whole, "front"))
    refused = whole.run(whole.front_only("exec", "front", "--", "true"))
    assert (refused.returncode, "nobody watches" in refused.stderr) == (99, True), refused.stderr
    assert whole.out("exec", "front", "--", *hostile) == f"[{EPERM}]\n"
    assert watcher(whole, "front")
    assert eventually(lambda: len(told(whole, "front")) == 2)
    whole.out("destroy", "front")


def test_who_says_no_has_nobody_who_watches(whole: Box) -> None:
    with Sandbox.create("alone", monitor=False) as sandbox:
        assert json.loads(sandbox.exec(calling(("chroot", "/proc")), check=True).text) == [EPERM]
        assert not (whole.state / "sandboxes/alone/watcher").exists()
        assert whole.json("inspect", "alone", "--json")["unwatched"] is None


def test_where_it_would_be_dear_nobody_watches_and_it_says_why(whole: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AISBX_FRONT", "0")
    with Sandbox.create("dear"):
        row = whole.json("inspect", "dear", "--json")
        assert (row["monitored"], "AISBX_FRONT=0" in row["unwatched"]) == (False, True)


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
