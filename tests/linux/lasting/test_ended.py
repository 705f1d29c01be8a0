"""What a command is told that met the end of its sandbox."""

import subprocess
from threading import Timer
from typing import Any

from aisbx_linux.lasting.identity import boot, started
from aisbx_linux.lasting.join import JoinError, failed_to_join

NO_MEMORY = JoinError(12, "Cannot allocate memory")


def test_no_process_where_the_first_is_being_killed_is_no_lack_of_memory() -> None:
    with subprocess.Popen(["sleep", "60"]) as first:
        held: Any = {"boot": boot(), "first": (first.pid, started(first.pid))}
        ending = Timer(0.1, first.kill)
        ending.start()
        assert failed_to_join(NO_MEMORY, "sh", held) == ("launch", "the sandbox has ended", "")
        ending.join()


def test_a_lack_of_memory_is_told_as_one(monkeypatch: Any) -> None:
    monkeypatch.setattr("aisbx_linux.lasting.join._ENDING", 0.05)
    with subprocess.Popen(["sleep", "60"]) as first:
        held: Any = {"boot": boot(), "first": (first.pid, started(first.pid))}
        assert failed_to_join(NO_MEMORY, "sh", held) == ("command-not-executable", "sh: Cannot allocate memory", "")
        first.kill()
