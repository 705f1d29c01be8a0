"""How runs end: exit codes, signals, time, and that nothing is left."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import CORE, NOT_LEAN, World, needs_front


def alive(marker: str) -> list[str]:
    """Give the command lines of this machine's processes that hold a marker."""
    found: list[str] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if marker in line:
                found.append(f"{entry.name} {line}")
    return found


def gone(marker: str, seconds: float = 5.0) -> bool:
    until = time.monotonic() + seconds
    while alive(marker):
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def marker() -> str:
    """Give a number of seconds that no other test sleeps for."""
    return f"9{random.randrange(10**9):09d}"


def started(world: World, script: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        world.argv("--", "sh", "-c", script),
        cwd=world.project,
        env=world.environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )


@pytest.mark.parametrize(
    ("script", "code"), [("exit 0", 0), ("exit 7", 7), ("exit 255", 255), ("kill -9 $$", 137), ("kill -15 $$", 143)]
)
def test_the_exit_code_is_the_commands_own(world: World, script: str, code: int) -> None:
    assert world.run("sh", "-c", script).returncode == code


@pytest.mark.parametrize(
    ("command", "code", "name"),
    [("no-such", 127, b"command-not-found"), ("/etc/passwd", 126, b"command-not-executable")],
)
def test_a_command_that_cannot_run_has_the_shells_codes_and_one_line(
    world: World, command: str, code: int, name: bytes
) -> None:
    done = world.run(command)
    assert (done.returncode, done.stdout) == (code, b"")
    assert done.stderr.startswith(b"aisbx: " + name + b": ")
    assert done.stderr.count(b"\n") == 1


def test_a_command_that_speaks_like_the_tool_is_heard(world: World) -> None:
    done = world.run("sh", "-c", "echo 'bwrap: execvp x: No such file or directory' >&2; exit 1")
    assert (done.returncode, done.stderr) == (1, b"bwrap: execvp x: No such file or directory\n")


def test_time_is_up_even_for_a_command_that_ignores_it(world: World) -> None:
    started = time.monotonic()
    mark = marker()
    done = world.run("sh", "-c", f"trap '' TERM INT; sleep {mark} & sleep {mark}; sleep {mark}", options=["-t", "0.5"])
    assert done.returncode == 124
    assert time.monotonic() - started < 20
    assert gone(mark)


def test_a_child_that_left_the_session_ends_with_the_command(world: World) -> None:
    mark = marker()
    done = world.run("sh", "-c", f"setsid sh -c 'trap \"\" TERM HUP; sleep {mark}' >/dev/null 2>&1 & sleep 0.2; exit 3")
    assert done.returncode == 3
    assert gone(mark)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_the_launcher_reaches_the_command(world: World, number: signal.Signals) -> None:
    if world.way != "full":
        world.warm()
    script = f"trap 'echo caught; exit 5' {number.name.removeprefix('SIG')}; echo ready; while :; do sleep 0.05; done"
    with started(world, script) as launcher:
        assert launcher.stdout is not None
        assert launcher.stdout.readline() == b"ready\n"
        launcher.send_signal(number)
        assert launcher.stdout.read() == b"caught\n"
        assert launcher.wait(20) == 5


# Another thread takes the signal, so the launcher's wait is not interrupted: as when it comes just before poll(2).
# A thread cannot be started behind an outer PID namespace, so there is none here.
LATE = """
import select, signal, sys, threading, time
sys.path.insert(0, sys.argv[1])
import aisbx.cli.lean as lean
import aisbx.plan.recall as recall
install, real = recall.install, select.poll
def without_outer_namespace(kept):
    install(kept)
    cradle = sys.modules["aisbx_linux.cradle"]
    contain = cradle.contain
    cradle.contain = lambda *, pids, mounts: contain(pids=False, mounts=mounts)
def poll():
    select.poll = real
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    return real()
recall.install, select.poll = without_outer_namespace, poll
lean.main(sys.argv[2:])
"""


def test_a_signal_that_comes_just_before_the_launcher_waits_is_not_lost(world_of: Callable[[str], World]) -> None:
    world = world_of("lean")
    world.warm()
    argv = [sys.executable, "-I", "-S", "-c", LATE, CORE, "run", "--", "sh", "-c", "echo ready; exec sleep 50"]
    with subprocess.Popen(
        argv, cwd=world.project, env=world.environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    ) as launcher:
        assert launcher.stdout is not None
        assert launcher.stdout.readline() == b"ready\n"
        time.sleep(0.2)  # by now it waits
        launcher.send_signal(signal.SIGINT)
        assert launcher.wait(20) == 130


# The signal comes while the tool has not yet told of its first process.
EARLY = """
import os, sys
sys.path.insert(0, sys.argv[1])
import aisbx.cli.lean as lean
import aisbx.plan.recall as recall
install = recall.install
def watched(kept):
    install(kept)
    from aisbx_linux.launch import Launch
    await_first = Launch._await_first
    def early(self):
        os.kill(os.getpid(), int(sys.argv[2]))
        return await_first(self)
    Launch._await_first = early
recall.install = watched
lean.main(sys.argv[3:])
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_that_comes_before_the_command_runs_keeps_it_from_running(
    world_of: Callable[[str], World], number: signal.Signals
) -> None:
    world = world_of("lean")
    world.warm()
    argv = [sys.executable, "-I", "-S", "-c", EARLY, CORE, str(int(number)), "run", "--", "touch", "ran"]
    done = world.execute(
        argv,
    )
    assert (done.returncode, done.stdout, done.stderr) == (128 + number, b"", b"")
    assert not (world.project / "ran").exists()


def test_a_second_request_to_end_is_not_ignored(world: World) -> None:
    if world.way != "full":
        world.warm()
    mark = marker()
    script = f"trap '' TERM; echo ready; sleep {mark}; sleep {mark}"
    with started(world, script) as launcher:
        assert launcher.stdout is not None
        assert launcher.stdout.readline() == b"ready\n"
        launcher.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        assert launcher.poll() is None
        launcher.send_signal(signal.SIGTERM)
        assert launcher.wait(20) in {128 + signal.SIGTERM, 128 + signal.SIGKILL}
    assert gone(mark)


@pytest.mark.parametrize(("way", "step"), [("lean", 0.002), pytest.param("front", 0.0004, marks=needs_front)])
def test_nothing_survives_a_launcher_that_is_killed_at_any_moment(
    world_of: Callable[[str], World], way: str, step: float
) -> None:
    world = world_of(way)
    world.warm()
    mark = marker()
    for round_ in range(40):
        launcher = subprocess.Popen(
            world.argv("--", "sh", "-c", f"setsid sleep {mark} & sleep {mark}"),
            cwd=world.project,
            env=world.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(round_ * step)
        launcher.kill()
        assert launcher.wait(10) == -signal.SIGKILL
    assert gone(mark), alive(mark)


def test_the_lean_front_hands_over_without_a_plan(world_of: Callable[[str], World]) -> None:
    world = world_of("full")
    done = subprocess.run(world.lean("--", "true"), cwd=world.project, env=world.environ, timeout=30, check=False)
    assert done.returncode == NOT_LEAN
