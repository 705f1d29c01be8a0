"""How a command behaves in a sandbox, whatever confines it: codes, streams, signals, the ends of things."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from aisbx.errors import CommandNotExecutableError, CommandNotFoundError, StateError, UsageError
from aisbx.testing.scene import Scene
from aisbx.testing.ways import ways
from aisbx.testing.whole import Contract
from aisbx.types import CONTROLS, Command, Driver, ExitStatus, Level, Process, Sandbox, Stdio

_SECONDS = 30.0


class Behaviour(Contract, contract=True):
    """The part of `DriverContract` that attacks nothing."""

    python: ClassVar[str] = "/usr/bin/python3"
    """A Python 3 inside the sandbox; attacks and checks are programs of it."""

    @pytest.fixture
    def driver(self) -> Driver:
        """Give the driver; the one thing that an author must write."""
        pytest.fail(f"{type(self).__name__} gives no fixture `driver`")

    @pytest.fixture
    def scene(self) -> Iterator[Scene]:
        """Give a host with a home and a workspace."""
        with Scene() as scene:
            yield scene

    def run(
        self, driver: Driver, scene: Scene, program: str, *arguments: str, stdio: Stdio | None = None
    ) -> list[ExitStatus]:
        """Run a Python program inside, on every way there is."""
        argv = (self.python, "-I", "-S", "-c", program, *arguments)
        return [
            way(scene.spec(), Command(argv=argv), stdio or Stdio(), Path(scene.state), _SECONDS)
            for way in ways(driver).values()
        ]

    @contextlib.contextmanager
    def running(self, driver: Driver, scene: Scene, program: str, stdio: Stdio | None = None) -> "Generator[Process]":
        """Start a Python program inside, and end it."""
        with _open(driver, scene) as sandbox:
            yield sandbox.spawn(Command(argv=(self.python, "-I", "-S", "-c", program)), stdio or Stdio())

    def test_the_driver_says_whether_it_can_work_and_if_not_what_to_do(self, driver: Driver) -> None:
        """`probe` never raises, and a refusal comes with its reason and remedy."""
        probe = driver.probe()
        assert driver.name
        assert probe.usable or (probe.reason and probe.remedy)
        assert probe.usable, f"the kit needs a driver that works here: {probe.reason}; {probe.remedy}"

    def test_the_report_gives_a_mechanism_for_each_claim_and_a_reason_for_each_lack(
        self, driver: Driver, scene: Scene
    ) -> None:
        """A claim without a mechanism, or a lack without a reason, tells nobody anything."""
        enforcement = driver.check(scene.spec())
        for state in enforcement.states:
            assert state.control in CONTROLS
            assert state.mechanism or state.level is Level.NONE, f"{state.control} is claimed, but by what?"
            assert state.reason or state.level is Level.FULL, f"{state.control} is not full, but why?"

    def test_the_report_is_the_same_when_asked_twice_and_makes_nothing(self, driver: Driver, scene: Scene) -> None:
        """`check` looks; it does not touch the workspace or the home."""
        before = sorted(os.listdir(scene.workspace) + os.listdir(scene.home))
        assert driver.check(scene.spec()) == driver.check(scene.spec())
        assert sorted(os.listdir(scene.workspace) + os.listdir(scene.home)) == before

    def test_what_is_observed_is_no_weaker_than_what_was_planned(self, driver: Driver, scene: Scene) -> None:
        """A control that was FULL before the sandbox was made is FULL in it."""
        planned = driver.check(scene.spec())
        with _open(driver, scene) as sandbox:
            weaker = [
                state.control
                for state in planned.states
                if state.level is Level.FULL and sandbox.enforcement[state.control].level is not Level.FULL
            ]
        assert not weaker

    @pytest.mark.parametrize("code", [0, 1, 7, 126, 255])
    def test_the_exit_code_is_the_commands_own(self, driver: Driver, scene: Scene, code: int) -> None:
        """Also where it is one that aisbx itself uses."""
        for status in self.run(driver, scene, f"raise SystemExit({code})"):
            assert (status.code, status.signal, status.timed_out) == (code, 0, False)

    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
    def test_death_by_a_signal_gives_128_and_its_number(
        self, driver: Driver, scene: Scene, number: signal.Signals
    ) -> None:
        """As a POSIX shell reports it."""
        program = f"import os, resource as r; r.setrlimit(r.RLIMIT_CORE, (0, 0)); os.kill(os.getpid(), {number})"
        for status in self.run(driver, scene, program):
            assert status.code == 128 + number

    def test_arguments_arrive_as_they_were_given(self, driver: Driver, scene: Scene) -> None:
        """No shell and no option parser on the way touches them."""
        given = ["", " ", "a b", "'\"", "$HOME", "*", "--", "-x", "--help", "new\nline", "grün", "\\", "{file:0}"]
        program = "import sys; sys.stdout.buffer.write('\\0'.join(sys.argv[1:]).encode())"
        for status in self.run(driver, scene, program, *given):
            assert status.stdout.data.decode().split("\0") == given

    def test_standard_input_arrives_byte_for_byte(self, driver: Driver, scene: Scene) -> None:
        """More than a pipe holds, every byte value, and then its end."""
        given = bytes(range(256)) * 1024
        program = "import sys, hashlib; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())"
        import hashlib

        for status in self.run(driver, scene, program, stdio=Stdio(stdin=given)):
            assert status.stdout.data.decode().strip() == hashlib.sha256(given).hexdigest()

    def test_without_standard_input_there_is_its_end_at_once(self, driver: Driver, scene: Scene) -> None:
        """Nothing waits for a person who is not there."""
        for status in self.run(driver, scene, "import sys; print(len(sys.stdin.buffer.read()))"):
            assert status.stdout.data == b"0\n"

    def test_the_two_output_streams_stay_apart_and_whole(self, driver: Driver, scene: Scene) -> None:
        """Byte for byte, and each where it belongs."""
        program = "import os\nfor n in range(64): os.write(1, bytes(range(256)) * 16); os.write(2, b'\\xff\\0' * 64)"
        for status in self.run(driver, scene, program):
            assert status.stdout.data == bytes(range(256)) * 16 * 64
            assert status.stderr.data == b"\xff\0" * 64 * 64

    def test_output_goes_to_the_callers_descriptors(self, driver: Driver, scene: Scene) -> None:
        """Relayed, and what was in the file before stays."""
        for way in ways(driver).values():
            path = os.path.join(scene.elsewhere, "log")
            Path(path).write_text("before ")
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
            try:
                command = Command(argv=(self.python, "-I", "-S", "-c", "print('after')"))
                way(scene.spec(), command, Stdio(stdout=descriptor), Path(scene.state), _SECONDS)
            finally:
                os.close(descriptor)
            assert Path(path).read_text() == "before after\n"

    def test_beyond_the_capture_bound_bytes_are_dropped_counted_and_the_command_goes_on(
        self, driver: Driver, scene: Scene
    ) -> None:
        """A bound on what is kept is no reason for the command to stop."""
        program = "import sys; sys.stdout.write('x' * 300000)"
        for status in self.run(driver, scene, program, stdio=Stdio(capture=100000)):
            assert status.code == 0
            assert (len(status.stdout.data), status.stdout.dropped) == (100000, 200000)

    def test_a_command_that_does_not_exist_is_not_found(self, driver: Driver, scene: Scene) -> None:
        """From `spawn` or from `wait`, but as this error."""
        with _open(driver, scene) as sandbox, pytest.raises(CommandNotFoundError):
            sandbox.spawn(Command(argv=("/no/such/command",)), Stdio()).wait(_SECONDS)

    def test_a_file_that_is_no_program_is_not_executable(self, driver: Driver, scene: Scene) -> None:
        """From `spawn` or from `wait`, but as this error."""
        path = scene.file("home", "project", "data", text="no program", mode=0o644)
        with _open(driver, scene) as sandbox, pytest.raises(CommandNotExecutableError):
            sandbox.spawn(Command(argv=(path,)), Stdio()).wait(_SECONDS)

    def test_the_command_starts_in_its_directory_with_the_variables_named_for_it(
        self, driver: Driver, scene: Scene
    ) -> None:
        """The spec's directory unless the command names one; its variables on top of the spec's."""
        os.mkdir(os.path.join(scene.workspace, "below"), 0o777)
        program = "import os; print(os.getcwd(), os.environ.get('AISBX_KIT'))"
        for way in ways(driver).values():
            for cwd, expected in ((None, scene.workspace), (f"{scene.workspace}/below", f"{scene.workspace}/below")):
                argv = (self.python, "-I", "-S", "-c", program)
                command = Command(argv=argv, environment={"AISBX_KIT": "yes = no"}, cwd=cwd)
                status = way(scene.spec(), command, Stdio(), Path(scene.state), _SECONDS)
                assert status.stdout.data.decode() == f"{expected} yes = no\n"

    def test_a_live_workspace_is_at_the_same_path_and_what_is_written_there_stays(
        self, driver: Driver, scene: Scene
    ) -> None:
        """The point of a workspace."""
        os.chmod(scene.workspace, 0o777)
        scene.file("home", "project", "given", text="from the host")
        program = f"open({scene.workspace + '/made'!r}, 'w').write(open('given').read() + ', seen inside')"
        for status in self.run(driver, scene, program):
            assert status.code == 0, status.stderr.data
            made = os.path.join(scene.workspace, "made")
            assert Path(made).read_text() == "from the host, seen inside"
            owner, mine = os.stat(made), os.stat(scene.workspace)
            assert (owner.st_uid, owner.st_gid) == (mine.st_uid, mine.st_gid)
            os.unlink(made)

    def test_waiting_for_a_while_gives_none_until_the_command_has_ended(self, driver: Driver, scene: Scene) -> None:
        """And the same answer however often it is asked afterwards."""
        with self.running(driver, scene, "import time; time.sleep(0.5); print('done')") as process:
            assert process.wait(0.05) is None
            status = process.wait(_SECONDS)
            assert status is not None
            assert status.stdout.data == b"done\n"
            assert process.wait(0) == status

    def test_a_signal_reaches_the_command_and_after_its_end_nothing_happens(self, driver: Driver, scene: Scene) -> None:
        """The command itself gets it, and may handle it."""
        ready = os.path.join(scene.workspace, "ready")
        os.chmod(scene.workspace, 0o777)
        program = f"""
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))
open({ready!r}, "w").close()
time.sleep(20)
"""
        with self.running(driver, scene, program) as process:
            _until(lambda: process.wait(0.02) is None and os.path.exists(ready))
            process.signal(signal.SIGTERM)
            status = process.wait(_SECONDS)
            assert status is not None
            assert status.code == 9
            process.signal(signal.SIGTERM)

    def test_a_command_without_a_terminal_has_no_size(self, driver: Driver, scene: Scene) -> None:
        """An error, not a silent nothing."""
        with self.running(driver, scene, "import time; time.sleep(0.2)") as process:
            with pytest.raises(UsageError):
                process.resize(24, 80)
            process.wait(_SECONDS)

    def test_a_terminal_has_the_size_it_is_given(self, driver: Driver, scene: Scene) -> None:
        """All three streams are one terminal, and it can be resized while the command runs."""
        slave = scene.terminal()
        program = """
import os, sys, time
assert all(os.isatty(n) for n in (0, 1, 2))
print("started", flush=True)
for _ in range(200):
    if os.get_terminal_size() == (77, 33):
        print("resized", flush=True)
        break
    time.sleep(0.02)
"""
        shown = b""
        with self.running(driver, scene, program, Stdio(stdin=slave, stdout=slave, terminal=True)) as process:
            end = time.monotonic() + _SECONDS
            resized = False
            while process.wait(0.05) is None and time.monotonic() < end:
                shown += scene.terminal_output()
                if b"started" in shown and not resized:
                    process.resize(33, 77)
                    resized = True
        shown += scene.terminal_output()
        assert b"resized" in shown

    def test_closing_ends_every_process_and_may_be_done_twice(self, driver: Driver, scene: Scene) -> None:
        """Nothing runs on in a sandbox that is closed, unless the driver says that it can't promise so."""
        if driver.check(scene.spec())["proc:no-survivors"].level is not Level.FULL:
            with _open(driver, scene) as sandbox:
                sandbox.close()
            return
        os.chmod(scene.workspace, 0o777)
        program = f"""
import time
while True:
    open({scene.heart!r}, "a").write(".")
    time.sleep(0.03)
"""
        with _open(driver, scene) as sandbox:
            process = sandbox.spawn(Command(argv=(self.python, "-I", "-S", "-c", program)), Stdio())
            _until(lambda: process.wait(0.02) is None and scene.beating())
            sandbox.close()
            assert not scene.survivor()
            sandbox.close()

    def test_what_a_command_used_is_counted(self, driver: Driver, scene: Scene) -> None:
        """Duration at least; processor time and memory as far as the driver can see them."""
        for status in self.run(driver, scene, "import time; time.sleep(0.2)"):
            assert 0.2 <= status.duration < _SECONDS
            assert status.usage.user_seconds >= 0
            assert status.usage.max_rss_bytes >= 0

    def test_a_sandbox_that_is_not_there_cannot_be_attached(self, driver: Driver) -> None:
        """Neither one that never was nor one of another driver."""
        with pytest.raises(StateError):
            driver.attach("no-such-sandbox")


BEHAVIOUR = frozenset(name for name in vars(Behaviour) if name.startswith("test_")) | {"test_the_contract_is_whole"}
"""The names of its tests; tests/core/testing pins them."""


@contextlib.contextmanager
def _open(driver: Driver, scene: Scene) -> "Generator[Sandbox]":
    sandbox = driver.open(scene.spec(), Path(scene.state))
    try:
        yield sandbox
    finally:
        sandbox.close()


def _until(ready: Callable[[], bool]) -> None:
    end = time.monotonic() + _SECONDS
    while not ready():
        assert time.monotonic() < end, "nothing happened inside"
        time.sleep(0.01)
