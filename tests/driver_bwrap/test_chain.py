"""Runs of the compiled front and of Python's at once: one audit log, one chain, records of one shape."""

import subprocess
from collections.abc import Callable
from dataclasses import replace

from aisbx.audit.places import place
from aisbx.audit.verify import verify

from .conftest import World, needs_front

_AT_ONCE = 20


def begin(world: World, number: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        world.argv("--", "sh", "-c", f"echo {number}; exit {number}"),
        cwd=world.project,
        env=world.environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )


@needs_front
def test_records_of_both_fronts_at_once_make_one_chain(world_of: Callable[[str], World]) -> None:
    front = world_of("front")
    front.warm()
    front.environ = {**front.environ, "AISBX_FRONT": "only"}  # what it doesn't carry out itself ends with another code
    lean = replace(front, way="lean", environ={k: v for k, v in front.environ.items() if k != "AISBX_FRONT"})
    before = len(front.records())
    started = [begin(front if number % 2 else lean, number) for number in range(_AT_ONCE)]
    ended = [(process.communicate(timeout=60)[0], process.returncode) for process in started]
    assert ended == [(b"%d\n" % number, number) for number in range(_AT_ONCE)]
    records = front.records()
    assert len(records) == before + _AT_ONCE
    assert {tuple(record) for record in records[before:]} == {tuple(records[-1])}, "the same members in the same order"
    verdict = verify(place(front.state, front.home / ".config" / "aisbx", 1 << 20, 0, ""))
    assert (verdict.problems, verdict.records) == ([], len(records))
