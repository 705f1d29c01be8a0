"""What came of a command in the background is ended with it, wherever it went; what came of another stays."""

import time
from collections.abc import Iterator

import pytest
from aisbx import Sandbox

from .conftest import Box, eventually

AWAY = """import os, resource, sys, time
def away(number):
    os.setsid()
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    if number % 2:  # what it can do to its marks: lower them
        for kind in (10, 15):
            soft, hard = resource.prlimit(0, kind)
            resource.prlimit(0, kind, (hard - number, hard - number))
    os.closerange(0, 100)
    os.execve("/bin/sleep", ["sleep", sys.argv[1]], {})
for number in range(4):
    if not os.fork():
        away(number)
    os.wait()
print("away", flush=True)
if len(sys.argv) > 2:
    time.sleep(60)
"""
BOMB = """import os, time
until = time.monotonic() + 15
while time.monotonic() < until:
    try:
        if not os.fork():
            os.setsid()
            os.fork()
    except OSError:
        time.sleep(0.001)
"""


@pytest.fixture(scope="module")
def sandbox(whole: Box) -> Iterator[Sandbox]:
    del whole
    with Sandbox.create("work", profile="python-dev") as made:
        yield made


@pytest.fixture
def few(whole: Box) -> Iterator[Sandbox]:
    """One in which nothing becomes too many."""
    del whole
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AISBX_LOWER", "limit:pids")
        with Sandbox.create("few", profile="python-dev", pids=40) as made:
            yield made


def sleeping(sandbox: Sandbox, seconds: str) -> int:
    return sum(row.argv == ("sleep", seconds) for row in sandbox.ps())


@pytest.mark.parametrize("stays", [False, True], ids=["it-has-ended", "it-runs"])
def test_a_kill_ends_what_left_the_tree_and_the_session(sandbox: Sandbox, *, stays: bool) -> None:
    other = sandbox.start(["python3", "-c", AWAY, "8640"])
    assert other.wait(timeout=20) is not None
    command = sandbox.start(["python3", "-c", AWAY, "8641", *(["stay"] if stays else [])])
    assert next(command.follow()).data == b"away\n"
    if not stays:
        assert command.wait(timeout=20) is not None
    assert eventually(lambda: (sleeping(sandbox, "8640"), sleeping(sandbox, "8641")) == (4, 4))
    command.kill()
    assert eventually(lambda: sleeping(sandbox, "8641") == 0), "a daemon got away"
    assert sleeping(sandbox, "8640") == 4, "another command's was ended"
    other.kill()
    assert eventually(lambda: sleeping(sandbox, "8640") == 0)
    command.kill()  # nothing is left: nothing happens


def test_a_fork_bomb_does_not_outrun_a_kill(few: Sandbox) -> None:
    bomb = few.start(["python3", "-c", BOMB], timeout=30)
    assert eventually(lambda: len(few.ps()) > 30)
    begun = time.monotonic()
    bomb.kill()
    assert eventually(lambda: not few.ps())
    assert time.monotonic() - begun < 10, "it ended by itself"
    assert bomb.wait(timeout=10) is not None
