"""Commands in the background: they outlive who started them, and are seen, heard, fed and ended from anywhere."""

import json
import os
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .conftest import Box, sleepers
from .terminals import Person

PATIENCE = 30.0


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def place(box: Box, run: str) -> Path:
    return box.state / "sandboxes/work/commands" / run


def row(box: Box, run: str) -> dict[str, Any]:
    return json.loads((place(box, run) / "command.json").read_text())


def ended(box: Box, run: str) -> dict[str, Any]:
    until(lambda: row(box, run)["state"] == "ended")
    return row(box, run)


def leave(box: Box, *words: str) -> str:
    return box.out("exec", "work", "-d", *words).strip()


def runs(pid: int) -> bool:
    """Tell whether a process has not ended; whoever reaps it may take a moment."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except OSError:
        return False


def test_it_outlives_its_client_and_is_listed_heard_and_recorded(box: Box) -> None:
    box.out("create", "--name", "work", "-e", "KEY=of-the-box")
    program = "echo begun $KEY $OWN; echo problem >&2; read line < /tmp/go; echo went on; exit 3"
    box.out("exec", "work", "--", "mkfifo", "/tmp/go")
    run = leave(box, "-e", "OWN=own", "--", "sh", "-c", program)
    until(lambda: "problem" in box.out("logs", "work", run))
    listed = box.json("ps", "work", "--json")
    assert [(one["id"], one["argv"][0]) for one in listed["commands"]] == [(run, "sh")]
    assert [one["argv"][:2] for one in listed["processes"]] == [["sh", "-c"]]
    assert run in box.out("ps", "work")
    follower = box.start("logs", "work", "-f")
    box.out("exec", "work", "--", "sh", "-c", "echo > /tmp/go")
    assert follower.communicate(timeout=PATIENCE)[0] == b"begun of-the-box own\nproblem\nwent on\n"
    assert ended(box, run)["exit_code"] == 3
    assert box.out("logs", "work", run[:5], "--tail", "1") == "went on\n"
    assert box.out("logs", "work", "--since", "2099-01-01") == ""
    assert box.json("logs", "work", run, "--json")["output"]["text"].endswith("went on\n")
    assert box("attach", "work", run, "--logs").returncode == 3
    assert "ended" in box.refused("attach", "work", run, code="state")
    assert "ended" in box.refused("kill", "work", run, code="state")
    (record,) = [line for line in (box.state / "audit.jsonl").read_text().splitlines() if run in line]
    assert '"kind":"exec.end"' in record
    assert '"exit_code":3' in record
    assert "of-the-box" not in record + json.dumps(row(box, run))
    assert box.json("ps", "work", "--json")["processes"] == []


def test_its_walls_are_those_of_exec(box: Box) -> None:
    from .test_walls import STATE

    box.out("create", "--name", "work")
    executed = box.out("exec", "work", "--", "sh", "-c", STATE)
    run = leave(box, "--", "sh", "-c", STATE)
    ended(box, run)
    marked = int(run, 16) + (1 << 60)  # by which `kill` knows what came of it: a limit that does nothing
    assert box.out("logs", "work", run).replace(str(marked), "unlimited") == executed


def test_its_own_limits_and_what_cannot_run(box: Box) -> None:
    box.out("create", "--name", "work")
    slow = leave(box, "-t", "1s", "--", "sleep", "50")
    loud = leave(box, "--output", "10K", "--", "sh", "-c", "yes | head -c 100000")
    assert ended(box, loud)["output"] == {"bytes": 10240, "dropped": 100000 - 10240, "lost": 0}
    assert len(box.out("logs", "work", loud)) == 10240
    assert (ended(box, slow)["exit_code"], ended(box, slow)["timed_out"]) == (124, True)
    assert "timed out" in box.out("ps", "work")
    box.refused("exec", "work", "-d", "--", "no-such", code="command-not-found", exit_code=127)
    box.refused("exec", "work", "-d", "--cwd", "/nowhere", "--", "true", code="launch")
    box.refused("exec", "work", "-d", "--memory", "0", "--", "true", code="usage")
    box.refused("exec", "work", "--tty", "--", "true", code="usage")
    box.refused("exec", "work", "-d", code="usage")
    assert len(box.json("ps", "work", "--json")["commands"]) == 2, "one that never began is listed"
    assert "exec.refused" in (box.state / "audit.jsonl").read_text()


def test_input_comes_later_from_several_and_its_end_too(box: Box) -> None:
    box.out("create", "--name", "work")
    run = leave(box, "-i", "--", "sh", "-c", "while read l; do echo got $l; done; cat; echo over")
    watcher = box.start("attach", "work", run, "--logs", "--no-stdin")
    box.out("input", "work", run, stdin=b"one\n")
    box.out("input", "work", run, stdin=b"two\n")
    until(lambda: "two" in box.out("logs", "work", run))
    done = box("attach", "work", run, stdin=b"three\n")
    assert (done.returncode, done.stdout) == (0, "got three\nover\n")
    assert watcher.communicate(timeout=PATIENCE)[0] == b"got one\ngot two\ngot three\nover\n"
    closed = leave(box, "--", "sh", "-c", "cat; sleep 20")
    assert "no input" in box("input", "work", closed, stdin=b"x").stderr
    data = os.urandom(3_000_000)
    counting = leave(box, "-i", "--", "sh", "-c", "sleep 0.5; sha256sum; echo err >&2")
    box.out("input", "work", counting, "--eof", stdin=data)
    ended(box, counting)
    import hashlib

    done = box("attach", "work", counting, "--logs")
    assert (done.stdout.split()[0], done.stderr) == (hashlib.sha256(data).hexdigest(), "err\n")


def test_a_terminal_is_attached_resized_left_and_attached_again(box: Box) -> None:
    box.out("create", "--name", "work")
    run = leave(box, "--tty", "--", "sh", "-c", 'tty; while read l; do echo "<$l>"; stty size; done; echo bye')
    person = Person(box, ("attach", "work", run, "--logs"), 31, 97)
    person.sees("/dev/pts/0")
    person.type("one\n")
    person.sees("<one>")
    person.sees("31 97")
    person.resize(13, 45)
    until(lambda: (person.type("x\n"), b"13 45" in person.sees("<x>") + person.sees("\r\n"))[1])
    person.type("\x10a\n")  # the first of the keys alone is passed on
    person.sees("a>")
    person.type("\x10\x11")
    person.sees("goes on")
    assert person.ends() == 0
    again = Person(box, ("attach", "work", run))
    again.type("two\n")
    again.sees("<two>")
    again.type("\x04")
    again.sees("bye")
    assert again.ends() == 0
    assert ended(box, run)["exit_code"] == 0


def test_a_signal_is_the_whole_trees(box: Box) -> None:
    box.out("create", "--name", "work")
    # The first ignores it and the last has lost its parent: neither is spared by KILL.
    program = "(sleep 771 &); sleep 771 & trap : TERM; while :; do sleep 0.1; done"
    run = leave(box, "--", "sh", "-c", program)
    until(lambda: len(sleepers(771)) == 2)
    box.out("kill", "work", run)
    until(lambda: not sleepers(771))
    assert row(box, run)["state"] == "running"
    box.out("kill", "work", run[:6], "-s", "KILL")
    assert ended(box, run)["signal"] == 9
    other = leave(box, "--", "sleep", "772")
    (process,) = box.json("ps", "work", "--json")["processes"]
    box.out("kill", "work", str(process["pid"]), "-s", "int")
    assert ended(box, other)["signal"] == signal.SIGINT
    box.refused("kill", "work", "9999", code="state")
    box.refused("kill", "work", "1", code="state")
    box.refused("kill", "work", other, "-s", "NO", code="usage")


def test_one_whose_supervisor_is_killed_ends_and_that_is_told_and_recorded_once(box: Box) -> None:
    box.out("create", "--name", "work")
    run = leave(box, "-i", "--", "sleep", "773")
    watcher = box.start("attach", "work", run, "--no-stdin")
    until(lambda: sleepers(773))
    os.kill(row(box, run)["supervisor"], signal.SIGKILL)
    until(lambda: not sleepers(773))
    watcher.communicate(timeout=PATIENCE)
    assert watcher.returncode == 125
    for _ in range(2):
        (one,) = box.json("ps", "work", "--json")["commands"]
        assert (one["state"], one["error"]["code"]) == ("lost", "aborted")
    box.refused("attach", "work", run, code="state")
    box.out("destroy", "work")
    records = [line for line in (box.state / "audit.jsonl").read_text().splitlines() if run in line]
    assert len(records) == 1


def test_destroy_ends_all_and_records_it(box: Box) -> None:
    box.out("create", "--name", "work")
    ids = [leave(box, "--", "sleep", "774") for _ in range(3)]
    supervisors = [row(box, run)["supervisor"] for run in ids]
    box.out("destroy", "work")
    assert not sleepers(774)
    until(lambda: not any(map(runs, supervisors)))
    text = (box.state / "audit.jsonl").read_text()
    assert all(text.count(run) == 1 for run in ids)
    assert text.rstrip().rpartition("\n")[2].count("sandbox.destroy") == 1


def test_a_supervisor_holds_little_and_nothing_of_its_client(box: Box) -> None:
    box.out("create", "--name", "work")
    run = leave(box, "-i", "--", "sleep", "775")
    supervisor = row(box, run)["supervisor"]
    proc = Path(f"/proc/{supervisor}")
    assert (proc / "environ").read_bytes() == b""
    assert os.readlink(proc / "cwd") == "/"
    held = [name for one in (proc / "fd").iterdir() if not (name := os.readlink(one)).startswith("/sys/fs/cgroup/")]
    assert all(one.startswith(("pipe:", "socket:", "/dev/null", "anon_inode:", str(place(box, run)))) for one in held)
    pss = int(
        next(line for line in (proc / "smaps_rollup").read_text().splitlines() if line.startswith("Pss:")).split()[1]
    )
    assert pss < 12_000, f"{pss} kB"
    listening = place(box, run) / "socket"
    assert stat.S_ISSOCK(listening.stat().st_mode)
    assert place(box, run).stat().st_mode & 0o077 == 0


REACH = """
import os, socket, sys
for path in (sys.argv[1], "/proc/1/root" + sys.argv[1], f"/proc/{sys.argv[2]}/root" + sys.argv[1]):
    client = socket.socket(socket.AF_UNIX)
    try:
        client.connect(path)
        print("reached", path)
    except OSError:
        pass
for pid in filter(str.isdigit, os.listdir("/proc")):
    for number in range(30):
        try:
            name = os.readlink(f"/proc/{pid}/fd/{number}")
            if "commands" in name: print("sees", name)
        except OSError:
            pass
"""


@pytest.mark.parametrize("network", ["none", "open"])
def test_nothing_inside_reaches_the_supervisor(box: Box, network: str) -> None:
    box.out("create", "--name", "work", "-p", "python-dev", "--network", network)
    run = leave(box, "-i", "--", "sleep", "776")
    path, supervisor = str(place(box, run) / "socket"), str(row(box, run)["supervisor"])
    try:  # the attack works where there is no wall
        os.chdir(place(box, run))
        with socket.socket(socket.AF_UNIX) as client:
            client.connect("socket")
    finally:
        os.chdir("/")
    assert box.out("exec", "work", "--", "python3", "-c", REACH, path, supervisor) == ""


def test_a_full_disk_is_told_and_does_not_end_it(box: Box) -> None:
    """A limit on the size of files has the same effect on the supervisor as a disk that is full: writes fail."""
    box.out("create", "--name", "work")
    argv = box.argv("exec", "work", "-d", "--", "sh", "-c", "yes | head -c 300000; echo; echo still here; exit 5")
    limited = ["sh", "-c", 'trap "" XFSZ; ulimit -f 100; exec "$@"', "sh", *argv]
    done = subprocess.run(limited, cwd=box.project, env=box.env, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    how = ended(box, done.stdout.decode().strip())
    assert how["exit_code"] == 5
    assert how["output"]["lost"] > 100_000
    assert any("could not be kept: File too large" in line for line in how["findings"])


def test_with_a_bound_of_its_own_all_of_its_output_is_kept(box: Box) -> None:
    box.out("create", "--name", "work")
    whole = leave(box, "--output", "60M", "--", "head", "-c", "55M", "/dev/zero")
    usual = leave(box, "--", "head", "-c", "55M", "/dev/zero")
    for run, files in ((whole, {"output.0": 55 << 20}), (usual, {"output.0": 16 << 20, "output.33554432": 16 << 20})):
        assert ended(box, run)["output"] == {"bytes": 55 << 20, "dropped": 0, "lost": 0}
        found = {path.name: path.stat().st_size for path in place(box, run).glob("output.*")}
        assert files.items() <= found.items(), found
