"""Whoever is killed, and whenever: nothing of ours is left once the next command has looked."""

import os
import random
import time
from pathlib import Path

import pytest

from .conftest import Box, sleepers

ROUNDS = 12
# A time to live that nobody else has: by it the first process is known on the host.
UNIQUE = 400_000 + os.getpid() % 100_000


def tools() -> set[int]:
    """Give the pids of bubblewraps on this host that keep a sandbox of these tests."""
    found: set[int] = set()
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0].endswith(b"bwrap") and str(UNIQUE).encode() in words:
            found.add(int(entry.name))
    return found


def test_a_creator_that_is_killed_leaves_nothing(box: Box) -> None:
    begun = time.monotonic()
    box.out("create", "--name", "whole", "--ttl", f"{UNIQUE}s")
    whole = time.monotonic() - begun
    assert tools()
    assert sleepers(UNIQUE)
    box.out("destroy", "whole")
    chance = random.Random(UNIQUE)
    states: list[str] = []
    for number in range(ROUNDS):
        client = box.start("create", "--name", f"n{number}", "--ttl", f"{UNIQUE}s")
        # Mostly late: what comes before is Python that reads settings.
        time.sleep(whole * chance.uniform(0.4, 1.05))
        client.kill()
        client.communicate()
    time.sleep(0.5)  # a helper of the creator's may be about to end
    states = [row["state"] for row in box.json("ls", "--json")["sandboxes"]]
    box.out("destroy", "--all")
    box.out("prune")
    until = time.monotonic() + 10
    while (tools() or sleepers(UNIQUE)) and time.monotonic() < until:
        time.sleep(0.1)
    assert not tools(), states
    assert not sleepers(UNIQUE), states
    assert box.json("ls", "--json") == {"sandboxes": [], "runs": []}


@pytest.mark.parametrize("whose", ["tool", "first"])
def test_one_whose_processes_were_killed_has_ended(box: Box, whose: str) -> None:
    import marshal

    box.out("create", "--name", "work")
    held = marshal.loads((box.state / "sandboxes/work/home/held").read_bytes())[1]
    os.kill(held[whose][0], 9)
    until = time.monotonic() + 10
    while box.json("ls", "--json")["sandboxes"][0]["state"] == "running" and time.monotonic() < until:
        time.sleep(0.1)
    assert box.json("ls", "--json")["sandboxes"][0]["state"] == "ended"
    assert "has ended" in box.refused("exec", "work", "--", "true", code="state")
    assert box.out("prune") == "work\n"


def test_two_who_make_the_same_make_one(box: Box) -> None:
    clients = [box.start("create", "--name", "work") for _ in range(3)]
    codes = sorted(client.wait(60) for client in clients)
    for client in clients:
        client.communicate()
    assert codes == [0, 125, 125]
    assert box.out("exec", "work", "--", "echo", "one") == "one\n"


def test_commands_at_the_same_time(box: Box) -> None:
    box.out("create", "--name", "work")
    clients = [box.start("exec", "work", "--", "sh", "-c", f"sleep 0.5; echo {number}") for number in range(4)]
    assert [client.communicate(timeout=60)[0] for client in clients] == [b"0\n", b"1\n", b"2\n", b"3\n"]


def test_no_cgroup_or_process_is_left(box: Box) -> None:
    import marshal

    groups: list[str] = []
    born: list[int] = []
    for number in range(8):
        box.out("create", "--name", f"n{number}")
        box.out("exec", f"n{number}", "--", "sh", "-c", "sleep 600 > /dev/null 2>&1 &")
        held = marshal.loads((box.state / f"sandboxes/n{number}/home/held").read_bytes())[1]
        groups += held["groups"]
        born += [held["first"][0], held["tool"][0]]
    assert all(Path(group).is_dir() for group in groups)
    box.out("destroy", "--all")
    assert not [group for group in groups if Path(group).exists()]
    until = time.monotonic() + 10  # whoever reaps them may take a moment
    while any(Path(f"/proc/{pid}").exists() for pid in born) and time.monotonic() < until:
        time.sleep(0.1)
    assert not [pid for pid in born if Path(f"/proc/{pid}").exists()]
