"""A watch of a directory inside lives as long as the program that began it, and no longer than the sandbox."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aisbx import Sandbox

from .conftest import Box, eventually

if TYPE_CHECKING:
    from aisbx.types import Watch

BEGIN = """
import sys, time
from aisbx import Sandbox
watch = Sandbox.attach("watched").files.watch("/tmp")
print("watching", flush=True)
time.sleep(60)
"""


@pytest.fixture
def sandbox(whole: Box) -> Iterator[Sandbox]:
    made = Sandbox.create("watched")
    yield made
    made.destroy()
    assert whole.project.exists()


def _begun_by(pid: int) -> list[Path]:
    """Give the processes that work on files for a program."""
    found = [Path(f"/proc/{child}") for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [path for path in found if b"reach.py" in (path / "cmdline").read_bytes()]


def test_a_watch_goes_on_when_the_thread_that_began_it_has_ended(sandbox: Sandbox) -> None:
    begun: list[Watch] = []
    thread = threading.Thread(target=lambda: begun.append(sandbox.files.watch("/tmp")))
    thread.start()
    thread.join()
    sandbox.files.write("/tmp/later", b"x")
    assert next(begun[0]).kind == "created"
    begun[0].close()


def test_a_watch_ends_with_its_program_however_that_ends(sandbox: Sandbox) -> None:
    with subprocess.Popen([sys.executable, "-I", "-c", BEGIN], stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == b"watching\n"
        (worker,) = _begun_by(program.pid)
        program.send_signal(signal.SIGKILL)
    assert eventually(lambda: not worker.exists())
    assert sandbox.info.state == "running"


def test_a_watch_ends_with_the_sandbox(whole: Box) -> None:
    gone = Sandbox.create("going")
    watch = gone.files.watch("/tmp")
    ended = threading.Thread(target=lambda: list(watch))
    ended.start()
    whole.out("destroy", "going")
    ended.join(20)
    assert not ended.is_alive()
