"""The watchdog on processes of this machine, through a /proc that is not a sandbox's own."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from aisbx_linux.processes import below
from aisbx_linux.watch import Watch, used

MIB = 1 << 20


class Here(Watch):
    """Looks at chosen processes, in this /proc."""

    def __init__(self, pids: list[int], memory: int, tasks: int, places: list[str]) -> None:
        super().__init__(os.getpid(), memory, tasks, [])
        self._processes = "/proc"
        self._places = places
        self.pids = [str(pid) for pid in pids]

    def _stands(self) -> bool:
        return True

    def used(self) -> int:
        return used([f"/proc/{pid}" for pid in self.pids])


@pytest.fixture
def pair() -> Iterator[int]:
    """A process with 64 MiB that a child of it shares."""
    code = "import os, time; x = b'x' * (64 << 20); os.fork(); print(flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    with process.stdout:
        process.stdout.readline()
        time.sleep(0.1)
        yield process.pid
        os.killpg(process.pid, 9)
        process.wait()


def test_pages_that_processes_share_count_once(pair: int) -> None:
    with open(f"/proc/{pair}/task/{pair}/children") as file:
        child = int(file.read())
    both, one = Here([pair, child], 1, 0, []).used(), Here([pair], 1, 0, []).used()
    assert 60 * MIB < both < 90 * MIB
    assert 30 * MIB < one < 60 * MIB


def test_what_cannot_be_read_is_reckoned_by_what_is_resident(pair: int, monkeypatch: pytest.MonkeyPatch) -> None:
    import aisbx_linux.watch as module

    read = module._read

    def partly(path: str) -> bytes:
        return b"" if path.endswith("smaps_rollup") else read(path)

    monkeypatch.setattr(module, "_read", partly)
    assert Here([pair], 1, 0, []).used() > 60 * MIB


def test_a_sandbox_that_has_ended_meets_no_bound() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    assert Watch(process.pid, 1, 1, ["/tmp"]).look() == set()


def test_where_nothing_is_mounted_what_comes_of_the_first_process_is_charged() -> None:
    with subprocess.Popen(["sh", "-c", "sleep 60 & wait"]) as first:
        until = time.monotonic() + 20
        while not (met := Watch(first.pid, 1, 0, []).look()) and time.monotonic() < until:
            time.sleep(0.01)  # what is about to become `sleep` has nothing
        assert met == {"oom_killed"}
        assert Watch(first.pid, 1 << 40, 0, []).look() == set()
        os.kill(below(first.pid)[0], 9)
    assert Watch(first.pid, 1, 0, []).look() == set()


def test_a_sandbox_that_still_sees_the_host_is_not_charged_with_it() -> None:
    process = subprocess.Popen(["sleep", "60"])
    try:
        assert Watch(process.pid, 1, 1, ["/tmp"]).look() == set()
    finally:
        process.kill()
        process.wait()


def test_a_look_takes_a_small_part_of_the_time_between_looks() -> None:
    watch = Here([os.getpid()], 1 << 50, 1 << 20, ["/dev/shm"])
    begun = time.process_time()
    for _ in range(10):
        watch.look()
    assert (time.process_time() - begun) / 10 < 0.05
