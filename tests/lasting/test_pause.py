"""A paused sandbox stands still, takes no command, can be ended, and goes on where it was."""

import subprocess
import sys
import time
from pathlib import Path

from .conftest import Box, sleepers
from .test_background import leave, until

COUNT = "i=0; while :; do i=$((i+1)); echo $i > /dev/shm/count; sleep 0.01; done"
# Makes processes as fast as it can; each ends at once.
SPAWN = "while :; do (sleep 0.01 &); sleep 0.002; done"

KILLED = """
import os, sys
from aisbx_linux.lasting.freezer import TreeFreezer
from aisbx_linux.lasting.identity import recall
held = recall(sys.argv[1])
with TreeFreezer(sys.argv[1], held["first"][0], held["groups"]).still():
    os.kill(os.getpid(), 9)
"""


def states(box: Box) -> set[str]:
    """Of all but those that have ended."""
    rows = box.json("ps", "work", "--json")["processes"]
    return {row["state"] for row in rows} - {"ended"}


def test_it_stands_still_and_goes_on(box: Box) -> None:
    box.out("create", "--name", "work", "-w", f"{box.project}:rw")
    stopped_before = leave(box, "--", "sh", "-c", "kill -STOP $$; echo never; sleep 9")
    run = leave(box, "--", "sh", "-c", COUNT.replace("/dev/shm/count", "count"))
    spawner = leave(box, "--", "sh", "-c", SPAWN)
    count = box.project / "count"
    until(lambda: count.exists() and count.read_text())
    until(lambda: "stopped" in states(box))
    box.out("pause", "work")
    assert box.json("ls", "--json")["sandboxes"][0]["state"] == "paused"
    assert box.json("inspect", "work", "--json")["state"] == "paused"
    assert states(box) == {"stopped"}
    before = count.read_text()
    assert "is paused" in box.refused("exec", "work", "--", "true", code="state")
    assert "is paused" in box.refused("exec", "work", "-d", "--", "true", code="state")
    assert "is paused" in box.refused("kill", "work", run, code="state")
    box.refused("pause", "work", code="usage")
    box.out("kill", "work", spawner, "-s", "KILL")
    assert box.out("prune") == ""
    assert count.read_text() == before
    box.out("resume", "work")
    until(lambda: count.read_text() not in {before, ""})
    assert "never" not in box.out("logs", "work", stopped_before), "what had stopped by itself was continued"
    box.refused("resume", "work", code="usage")
    assert box.out("exec", "work", "--", "echo", "on") == "on\n"
    kinds = [line.split('"kind":"')[1].split('"')[0] for line in (box.state / "audit.jsonl").read_text().splitlines()]
    assert kinds.count("sandbox.pause") == kinds.count("sandbox.resume") == 1


def test_one_that_is_paused_can_be_ended_and_its_time_counts_on(box: Box) -> None:
    import marshal

    box.out("create", "--name", "work")
    leave(box, "--", "sleep", "781")
    box.out("pause", "work")
    first = marshal.loads((box.state / "sandboxes/work/home/held").read_bytes())[1]["first"][0]
    frozen = Path(f"/proc/{first}/stat").read_text().rpartition(") ")[2][0] == "T"
    assert not frozen, "its time to live does not count on: it is the sleep of this process"
    box.out("destroy", "work")
    assert not sleepers(781)


def test_a_command_that_joins_while_it_is_paused_is_stopped_or_refused(box: Box) -> None:
    """Whatever comes first, the pause or the command: afterwards nothing runs."""
    box.out("create", "--name", "work", "-w", f"{box.project}:rw")
    beat = Path(box.project, "beat")
    for number in range(4):
        client = box.start(
            "exec", "work", "-t", "20s", "--", "sh", "-c", "while :; do echo x >> beat; sleep 0.01; done"
        )
        time.sleep(0.12 * number)
        box.out("pause", "work")
        size = beat.stat().st_size if beat.exists() else 0
        time.sleep(0.1)
        assert (beat.stat().st_size if beat.exists() else 0) == size, number
        client.kill()
        client.communicate()
        box.out("resume", "work")


def test_whoever_stopped_it_to_copy_its_layer_and_was_killed_leaves_it_going_on(box: Box) -> None:
    box.out("create", "--name", "work", "-w", f"{box.project}:rw")
    leave(box, "--", "sh", "-c", COUNT.replace("/dev/shm/count", "count"))
    count = box.project / "count"
    for next_command in (("exec", "work", "--", "true"), ("inspect", "work")):
        until(lambda: count.exists() and count.read_text())
        killed = [sys.executable, "-I", "-c", KILLED, str(box.state / "sandboxes/work/home")]
        assert subprocess.run(killed, check=False).returncode == -9
        before = count.read_text()
        time.sleep(0.1)
        assert count.read_text() == before
        box.out(*next_command)
        until(lambda before=before: count.read_text() not in {before, ""})
    box.refused("resume", "work", code="usage")


def test_a_parent_that_waits_for_a_stopped_child_is_stopped_too(box: Box) -> None:
    """Between vfork(2) and execve(2) its parent waits in the kernel, where no signal stops it, and goes nowhere."""
    box.out("create", "--name", "work", "-p", "python-dev")
    script = (
        "import ctypes, os, signal, time\n"
        "library = ctypes.CDLL(None)\n"
        "print('ready', flush=True)\n"
        "library.clone.restype = ctypes.c_int\n"
        "stack = ctypes.create_string_buffer(1 << 16)\n"
        "pause = ctypes.cast(library.pause, ctypes.c_void_p)\n"
        "library.clone(pause, ctypes.c_void_p(ctypes.addressof(stack) + (1 << 15)), 0x4000 | 0x100 | 17, None)\n"
    )
    client = box.start("exec", "work", "--", "python3", "-c", script)
    try:
        assert client.stdout is not None
        assert client.stdout.readline() == b"ready\n"
        time.sleep(0.3)
        box.out("pause", "work")
        box.out("resume", "work")
    finally:
        client.kill()
        client.communicate()
