"""What ends a sandbox when its time is over: who uses it, by which clock, what is left and recorded."""

import fcntl
import json
import os
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from aisbx import keeper as core
from aisbx.engine.found import ENDED, RUNNING, Found
from aisbx.store import Record
from aisbx_linux.lasting import identity, keeping, use

from .conftest import Box, eventually


def state(box: Box, name: str = "work") -> dict[str, Any]:
    return box.json("inspect", name, "--json")


def ends(box: Box) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (box.state / "audit.jsonl").read_text().splitlines()]
    return [row for row in rows if row["kind"] == "sandbox.end"]


def keeper(box: Box) -> int:
    """Give the pid of who holds the lock (/proc/locks)."""
    inode = (box.state / "sandboxes/work/keeper").stat().st_ino
    rows = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    return next((int(row[4]) for row in rows if row[5].endswith(f":{inode}")), 0)


def test_one_that_nobody_uses_ends_and_leaves_its_layer_and_a_record(box: Box) -> None:
    box.out("create", "--name", "work", "-w", ".:cow", "--idle-ttl", "1s")
    started = time.monotonic()
    # A command counts as long as it runs, and what it left running does not.
    box.out("exec", "work", "--", "sh", "-c", "sleep 1000 > /dev/null 2>&1 & echo new > made; sleep 1.3")
    assert time.monotonic() - started > 1.3
    assert eventually(lambda: ends(box))
    told = state(box)
    assert (told["state"], told["reason"], told["findings"], told["idle_ttl"]) == ("ended", "idle-ttl", [], 1)
    assert "ended: idle-ttl" in box.out("ls")
    assert [(row["run"], row["reason"], row["host"]) for row in ends(box)] == [("work", "idle-ttl", "keeper")]
    assert box.out("diff", "work", "--name-only") == "made\n"
    box.refused("exec", "work", "--", "true", code="state")
    box.out("destroy", "--discard", "work")
    assert len(ends(box)) == 1


def test_the_time_to_live_settles_the_workspace_once(box: Box) -> None:
    box.out("create", "--name", "work", "--ttl", "3s")
    box.out(
        "exec", "work", "--", "sh", "-c", "(sleep 0.5; mkdir .vscode; echo {} > .vscode/tasks.json) > /dev/null 2>&1 &"
    )
    pid = keeper(box)
    pss = next(line for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines() if line.startswith("Pss:"))
    assert int(pss.split()[1]) < 12_000, pss
    assert Path(f"/proc/{pid}/environ").read_bytes() == b""
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    assert eventually(lambda: ends(box))
    (end,) = ends(box)
    assert end["reason"] == "ttl"
    assert len(end["findings"]) == 1
    assert ".vscode" in end["findings"][0]
    tasks = box.project / ".vscode/tasks.json"
    assert not tasks.exists()
    tasks.parent.mkdir(exist_ok=True)
    tasks.write_text("the host's own, of later")
    done = box("destroy", "work")
    assert end["findings"][0] in done.stderr
    assert tasks.read_text() == "the host's own, of later"
    assert eventually(lambda: not Path(f"/proc/{pid}").exists())


def test_a_keeper_that_is_killed_is_missed_by_the_next_who_looks(box: Box) -> None:
    box.out("create", "--name", "work", "--idle-ttl", "6s")
    first = keeper(box)
    os.kill(first, 9)
    assert eventually(lambda: not keeper(box))
    assert state(box)["state"] == "running"
    assert keeper(box) not in {0, first}
    assert eventually(lambda: ends(box))
    assert ends(box)[0]["reason"] == "idle-ttl"


def test_what_is_left_of_it_is_told_by_the_clock_it_counts_by(monkeypatch: pytest.MonkeyPatch) -> None:
    words: Any = dict.fromkeys(("name", "principal", "driver", "profile", "workspace", "mode", "network", "static"), "")
    now, clock = time.time(), time.monotonic()
    record = Record(**words, created=now, until=now + 600, clock=clock)
    monkeypatch.setattr(time, "monotonic", lambda: clock + 100)
    for jump in (3 * 86_400, -6 * 86_400, 100):
        monkeypatch.setattr(time, "time", lambda jump=jump: now + jump)
        found = Found("work", RUNNING, record)
        assert found.left == pytest.approx(500)
        assert found.until == pytest.approx(now + jump + 500)
    ended = Found("work", ENDED, record)
    assert (ended.left, ended.until) == (None, record.until)


def test_what_is_too_short_is_refused(box: Box) -> None:
    assert "--idle-ttl: a sandbox lives for a second at least" in box.refused(
        "create", "--name", "work", "--idle-ttl", "500ms", code="usage"
    )


@pytest.mark.parametrize(("age", "reason"), [(5, "ttl"), (1, "ended")])
def test_its_time_counts_from_its_first_process_however_late_its_keeper_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, age: int, reason: str
) -> None:
    first = subprocess.Popen(["sleep", "60"])
    born = identity.started(first.pid) - age * os.sysconf("SC_CLK_TCK")
    monkeypatch.setattr(keeping, "recall", {str(tmp_path): {"first": (first.pid, born), "boot": identity.boot()}}.get)
    first.kill()
    first.wait()
    data: dict[str, Any] = {"home": str(tmp_path), "ttl": 4, "idle": 0}
    keeping.prepare(data)
    assert keeping.keep(data) == reason


class Clock:
    """CLOCK_MONOTONIC as a test has it, and the others as they jump."""

    def __init__(self, patch: pytest.MonkeyPatch, home: Path) -> None:
        self.now = 1000.0
        patch.setattr(time, "monotonic", lambda: self.now)
        patch.setattr(time, "monotonic_ns", lambda: int(self.now * 1e9))
        self.home = str(home)
        use.track(self.home)
        self.idle = keeping._Idle(self.home, 60)  # pyright: ignore[reportPrivateUsage]

    def left(self) -> float:
        return self.idle.left(self.now)


def test_only_time_in_which_the_machine_runs_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, tmp_path)
    assert clock.left() == 60
    for jump in (-1e9, 1e9):  # somebody sets the clock; the machine sleeps for years
        monkeypatch.setattr(time, "time", lambda jump=jump: jump)
        monkeypatch.setattr(time, "time_ns", lambda jump=jump: int(jump * 1e9))
        monkeypatch.setattr(time, "clock_gettime", abs)  # any but the one that counts
        os.utime(tmp_path / "used", (1, 1))
        assert clock.left() == 60
    clock.now += 59
    assert clock.left() == 1
    clock.now += 1
    assert (clock.left(), clock.idle.over) == (0, True)


def test_who_uses_it_and_who_is_killed_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, tmp_path)
    clock.now += 50
    used = use.begin(clock.home)
    clock.now += 60  # 60 since it was noted, and still in use
    assert clock.left() == 60 / 16
    clock.now += 100
    assert (clock.left(), clock.idle.over) == (60 / 16, False)
    os.close(used)  # killed: it leaves no time
    clock.now += 2
    assert clock.left() == 58
    used = use.begin(clock.home)
    clock.now += 1
    use.end(used)
    assert clock.left() == 60
    # Another who joins from a time namespace of its own (time_namespaces(7)) may write a later time.
    clock.now += 1000
    used = use.begin(clock.home)
    use.end(used)
    clock.now -= 1000
    assert clock.left() == 60


def test_who_comes_when_it_is_over_waits_and_does_not_get_in_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch, tmp_path)
    clock.now += 60
    assert clock.left() == 0
    came = threading.Event()
    threading.Thread(target=lambda: (use.begin(clock.home), came.set()), daemon=True).start()
    assert not came.wait(0.2)
    assert use.begin(str(tmp_path / "nobody-counts")) == -1


def test_who_ends_it_and_who_works_on_it_do_not_wait_for_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, told, tried, alone = str(tmp_path), list[str](), threading.Event(), core._alone_with  # pyright: ignore[reportPrivateUsage]

    def observed(place: str, *, wait: bool) -> bool | None:
        tried.set()
        return alone(place, wait=wait)

    monkeypatch.setattr(core, "_alone_with", observed)
    monkeypatch.setattr(keeping, "_claims", [])
    monkeypatch.setattr(keeping, "recall", {home: {"first": os.getpid()}}.get)
    monkeypatch.setattr(keeping, "open_process", os.pidfd_open)
    use.track(home)
    other = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)  # a snapshot: what it starts then uses the sandbox
    job: Any = {"sandbox": home, "work": {"data": {"home": home, "ttl": 0, "idle": 0.01}}}
    ending = threading.Thread(target=lambda: told.append(core._over(keeping, job)), daemon=True)  # pyright: ignore[reportPrivateUsage]
    working = threading.Thread(target=lambda: use.end(use.begin(home)), daemon=True)
    ending.start()
    assert tried.wait(5)
    working.start()
    working.join(5)
    assert not working.is_alive()
    os.close(other)
    ending.join(5)
    assert told == ["idle-ttl"]
    assert use.claim(home) == -1, "nobody uses it any more"
