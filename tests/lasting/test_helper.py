"""A helper starts commands from outside: nothing inside reaches it, and it ends with whoever ends first."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aisbx.errors import AbortedError, CommandNotExecutableError, CommandNotFoundError, LaunchError, StateError
from aisbx.types import Command, ExitStatus, Stdio
from aisbx_linux.lasting import helpers
from aisbx_linux.lasting.helper import STARTING
from aisbx_linux.lasting.helpers import Helper, compiled
from aisbx_linux.lasting.sandbox import LastingSandbox
from aisbx_linux.lend import Input

from .conftest import Box, eventually, sleepers
from .test_walls import SPY, STATE

CLIENT = """
import sys
from pathlib import Path
from aisbx.types import Command, Stdio
from aisbx_linux.lasting.sandbox import LastingSandbox
LastingSandbox(Path(sys.argv[1])).spawn(Command(argv=("sleep", "876543")), Stdio()).wait()
"""


@pytest.fixture(params=["compiled", "python"])
def sandbox(box: Box, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[LastingSandbox]:
    monkeypatch.setenv("AISBX_FRONT", "1" if request.param == "compiled" else "0")
    if request.param == "compiled" and not compiled():
        assert "machine" not in os.environ.get("AISBX_REQUIRE", "").split(","), "there is no compiled helper"
        pytest.skip("there is no compiled helper: it needs a C compiler at set-up")
    box.out("create", "--name", "work", "-p", "python-dev")
    found = LastingSandbox(box.state / "sandboxes/work/home")
    yield found
    found.release()


def run(sandbox: LastingSandbox, *argv: str, **limits: float) -> ExitStatus:
    status = sandbox.spawn(Command(argv=argv, limits=limits), Stdio()).wait(60)
    assert status is not None
    return status


def helper_of(sandbox: LastingSandbox) -> int:
    """Give the pid of the helper that has nothing to do."""
    one = sandbox.helpers.take()
    sandbox.helpers.give_back(one)
    return one.pid


def test_a_signal_waits_until_it_is_known_whom_it_is_for(
    sandbox: LastingSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The command prints before its helper, which the kernel may let wait, has said which process it is.
    told = Helper.running
    until = time.monotonic() + 0.3

    def late(one: Helper) -> int:
        return STARTING if time.monotonic() < until else told(one)

    monkeypatch.setattr(Helper, "running", late)
    reader, writer = os.pipe()
    script = "trap 'exit 9' USR1; echo ready; while :; do sleep 0.02; done"
    process = sandbox.spawn(Command(argv=("sh", "-c", script)), Stdio(stdout=writer))
    ended: list[ExitStatus | None] = []
    waiting = threading.Thread(target=lambda: ended.append(process.wait(10)))
    waiting.start()
    assert os.read(reader, 10) == b"ready\n"
    process.signal(signal.SIGUSR1)
    waiting.join()
    for descriptor in (reader, writer):
        os.close(descriptor)
    assert ended[0] is not None
    assert ended[0].code == 9


def test_a_signal_to_a_command_that_ends_just_then_reaches_no_other(
    sandbox: LastingSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    running, looked = Helper.running, list[str]()

    def late(self: Helper) -> int:
        if threading.current_thread().name == "ends":
            looked.append("")
            if len(looked) > 1:  # whom it is for, after it was found to run
                time.sleep(0.5)  # for the helper to be given to the next command
        return running(self)

    monkeypatch.setattr(Helper, "running", late)
    reader, writer = os.pipe()
    first = sandbox.spawn(Command(argv=("sh", "-c", "read line")), Stdio(stdin=reader))
    first.signal(0)  # until it is known to run
    ending = threading.Thread(target=lambda: first.signal(signal.SIGUSR1), name="ends")
    waiting = threading.Thread(target=first.wait)
    ending.start()
    waiting.start()
    assert eventually(lambda: len(looked) > 1)
    for descriptor in (reader, writer):
        os.close(descriptor)
    time.sleep(0.1)
    second = sandbox.spawn(Command(argv=("sleep", "765445")), Stdio())
    ending.join()
    waiting.join()
    left = eventually(lambda: sleepers(765445))
    second.kill()
    second.wait()
    assert left, "another command got it"


def open_now() -> set[str]:
    """Give what this process has open, each with what it leads to."""
    found = set[str]()
    for name in os.listdir("/proc/self/fd"):
        try:
            found.add(f"{name} {os.readlink(f'/proc/self/fd/{name}')}")
        except FileNotFoundError:
            continue  # the one that lists them
    return found


def test_a_command_that_cannot_be_served_any_more_leaves_nothing_open(
    sandbox: LastingSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(sandbox, "true")  # a helper that waits, and what all commands share
    reader, writer = os.pipe()
    before = open_now()
    process = sandbox.spawn(Command(argv=("sleep", "765446")), Stdio(stdin=reader))
    failing = [OSError("of one step")]

    def step(_self: Input) -> None:
        raise failing.pop()

    monkeypatch.setattr(Input, "step_on", step)
    os.write(writer, b"x")
    with pytest.raises(AbortedError):
        process.wait(10)
    assert not failing
    assert open_now() <= before
    for descriptor in (reader, writer):
        os.close(descriptor)


def test_a_helper_that_comes_back_to_a_sandbox_that_was_let_go_is_let_go_too(sandbox: LastingSandbox) -> None:
    def shared() -> int:
        return sum("memfd:pids" in one for one in open_now())

    before = shared()
    process = sandbox.spawn(Command(argv=("sleep", "765447")), Stdio())
    ended: list[ExitStatus | None] = []
    waiting = threading.Thread(target=lambda: ended.append(process.wait(10)))
    waiting.start()
    process.signal(0)  # until it is known to run
    assert shared() == before + 1
    sandbox.close()
    waiting.join()
    assert ended
    assert shared() == before


def test_its_commands_are_as_any_other(box: Box, sandbox: LastingSandbox) -> None:
    run(sandbox, "true")
    alike = box.out("exec", "work", "--", "sh", "-c", STATE)
    assert run(sandbox, "sh", "-c", STATE).stdout.data.decode() == alike
    assert run(sandbox, "sh", "-c", "kill -9 $$").code == 137
    for problem, argv in (
        (CommandNotFoundError, ("no-such-command",)),
        (CommandNotExecutableError, ("/etc/hosts",)),
    ):
        with pytest.raises(problem):
            run(sandbox, *argv)
    with pytest.raises(LaunchError, match="/nowhere"):
        sandbox.spawn(Command(argv=("pwd",), cwd="/nowhere"), Stdio()).wait()


def test_nothing_inside_reaches_it(sandbox: LastingSandbox) -> None:
    run(sandbox, "true")
    one = helper_of(sandbox)
    pids = run(sandbox, "sh", "-c", "kill -9 -1; kill -9 1; ls /proc | grep '^[0-9]' | tr '\\n' ' '").stdout.data
    assert helper_of(sandbox) == one, "it was killed from inside"
    assert len(pids.split()) <= 5, pids
    assert run(sandbox, "sh", "-c", f"kill -9 {one}; ls -d /proc/{one}").code != 0
    assert helper_of(sandbox) == one


def test_what_starts_a_command_cannot_be_looked_into(sandbox: LastingSandbox) -> None:
    spy = sandbox.spawn(Command(argv=("python3", "-c", SPY)), Stdio())
    done: list[ExitStatus | None] = []
    watching = threading.Thread(target=lambda: done.append(spy.wait(60)))
    watching.start()
    while watching.is_alive():
        run(sandbox, "true")
    watching.join()
    assert done[0] is not None
    assert b"read" not in done[0].stdout.data
    assert b"saw its program" not in done[0].stdout.data


def test_a_command_ends_with_its_helper_and_the_next_has_another(sandbox: LastingSandbox) -> None:
    run(sandbox, "true")
    one = helper_of(sandbox)
    process = sandbox.spawn(Command(argv=("sleep", "765444")), Stdio())
    assert eventually(lambda: sleepers(765444))
    time.sleep(0.2)  # one that is killed before it has said which process it started leaves that to the sandbox's end
    os.kill(one, 9)
    with pytest.raises(AbortedError):
        process.wait(60)
    assert eventually(lambda: not sleepers(765444))
    run(sandbox, "true")
    idle = helper_of(sandbox)
    os.kill(idle, 9)
    os.waitid(os.P_PID, idle, os.WEXITED | os.WNOWAIT)
    assert run(sandbox, "echo", "on").stdout.data == b"on\n"


def test_a_command_and_its_helper_end_with_the_client(box: Box, sandbox: LastingSandbox) -> None:
    client = subprocess.Popen([sys.executable, "-c", CLIENT, str(box.state / "sandboxes/work/home")])
    assert eventually(lambda: sleepers(876543))
    client.kill()
    client.wait()
    assert eventually(lambda: not sleepers(876543))
    assert run(sandbox, "true").code == 0


def test_it_ends_with_the_sandbox(box: Box, sandbox: LastingSandbox) -> None:
    run(sandbox, "true")
    one = helper_of(sandbox)
    begun = time.monotonic()
    box.out("destroy", "work")
    assert time.monotonic() - begun < 4, "it was waited for"
    os.waitpid(one, 0)
    assert not os.path.exists(f"/proc/{one}")
    with pytest.raises(LaunchError):
        run(sandbox, "true")


def test_time_limits_and_threads(sandbox: LastingSandbox) -> None:
    assert run(sandbox, "sleep", "50", wall_time=0.001).code == 124
    assert run(sandbox, "sh", "-c", "trap '' TERM; while :; do sleep 1; done", wall_time=0.2).code == 124
    told: list[bytes] = []

    def say(number: int) -> None:
        told.append(run(sandbox, "echo", str(number)).stdout.data)

    threads = [threading.Thread(target=say, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == [f"{n}\n".encode() for n in range(6)]


def test_what_cannot_be_a_command_is_refused_and_the_helper_stays(sandbox: LastingSandbox) -> None:
    run(sandbox, "true")
    one = helper_of(sandbox)
    for command in (Command(argv=("echo", "a\0b")), Command(argv=("true",), environment={"A=B": "c"})):
        with pytest.raises(LaunchError):
            sandbox.spawn(command, Stdio()).wait(60)
    with pytest.raises(LaunchError):
        sandbox.spawn(Command(argv=("true",), cwd="/a\0b"), Stdio()).wait(60)
    assert helper_of(sandbox) == one
    copy = os.dup(sandbox.helpers.idle[0].fileno())  # as a fork has it
    closing = threading.Thread(target=sandbox.release, daemon=True)
    closing.start()
    closing.join(5)
    os.close(copy)
    assert not closing.is_alive()
    sandbox.close()
    with pytest.raises(StateError, match="has ended"):
        sandbox.spawn(Command(argv=("true",)), Stdio())


def test_one_that_cannot_be_executed_is_told_of_and_python_takes_its_place(
    box: Box, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    box.out("create", "--name", "work", "-p", "python-dev")
    program = tmp_path / "aisbx-helper"
    (tmp_path / "python").symlink_to(sys.executable)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.delenv("AISBX_FRONT", raising=False)
    for mode, why in ((0o755, "Exec format error"), (0o644, "noexec")):
        monkeypatch.setattr(helpers, "_told", set[str]())
        program.write_bytes(b"\x7fELF of another machine")
        program.chmod(mode)
        caplog.clear()
        found = LastingSandbox(box.state / "sandboxes/work/home")
        assert [run(found, "echo", "on").stdout.data for _ in range(2)] == [b"on\n"] * 2
        found.release()
        [told] = caplog.messages
        assert str(program) in told
        assert why in told
