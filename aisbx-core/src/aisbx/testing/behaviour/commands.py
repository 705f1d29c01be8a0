"""How a command is started and how it ends."""

import os
import signal
from pathlib import Path

import pytest

from aisbx.errors import CommandNotExecutableError, CommandNotFoundError
from aisbx.testing.behaviour.base import SECONDS, Base, sandbox_of
from aisbx.testing.scene import Scene
from aisbx.testing.ways import ways
from aisbx.types import Command, Driver, Stdio

# Every signal that ends a process which does nothing about it (signal(7)), but the real-time ones.
_DEADLY = sorted(
    signal.Signals[f"SIG{name}"]
    for name in (
        *("HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM"),
        *("TERM", "XCPU", "XFSZ", "VTALRM", "PROF", "SYS"),
    )
)


class Commands(Base, contract=True):
    """Codes, arguments, directories, variables, the workspace."""

    @pytest.mark.parametrize("code", [0, 1, 7, 126, 255])
    def test_the_exit_code_is_the_commands_own(self, driver: Driver, scene: Scene, code: int) -> None:
        """Also where it is one that aisbx itself uses."""
        for status in self.run(driver, scene, f"raise SystemExit({code})"):
            assert (status.code, status.signal, status.timed_out) == (code, 0, False)

    @pytest.mark.parametrize("number", _DEADLY, ids=lambda number: number.name)
    def test_death_by_a_signal_gives_128_and_its_number(
        self, driver: Driver, scene: Scene, number: signal.Signals
    ) -> None:
        """As a POSIX shell reports it; the command is a child of the sandbox's first process, whatever that is."""
        program = (
            "import os, resource, signal, sys\n"
            "resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n"
            f"if {number} != signal.SIGKILL: signal.signal({number}, signal.SIG_DFL)\n"
            f"os.kill(os.getpid(), {number})"
        )
        for status in self.run(driver, scene, program):
            assert status.code == 128 + number

    def test_arguments_arrive_as_they_were_given(self, driver: Driver, scene: Scene) -> None:
        """No shell and no option parser on the way touches them."""
        given = ["", " ", "a b", "'\"", "$HOME", "*", "--", "-x", "--help", "new\nline", "grün", "\\", "{file:0}"]
        program = "import sys; sys.stdout.buffer.write('\\0'.join(sys.argv[1:]).encode())"
        for status in self.run(driver, scene, program, *given):
            assert status.stdout.data.decode().split("\0") == given

    def test_a_command_that_does_not_exist_is_not_found(self, driver: Driver, scene: Scene) -> None:
        """From `spawn` or from `wait`, but as this error."""
        with sandbox_of(driver, scene) as sandbox, pytest.raises(CommandNotFoundError):
            sandbox.spawn(Command(argv=("/no/such/command",)), Stdio()).wait(SECONDS)

    def test_a_file_that_is_no_program_is_not_executable(self, driver: Driver, scene: Scene) -> None:
        """From `spawn` or from `wait`, but as this error."""
        path = scene.file("home", "project", "data", text="no program", mode=0o644)
        with sandbox_of(driver, scene) as sandbox, pytest.raises(CommandNotExecutableError):
            sandbox.spawn(Command(argv=(path,)), Stdio()).wait(SECONDS)

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
                status = way(scene.spec(), command, Stdio(), Path(scene.state), SECONDS)
                assert status.stdout.data.decode() == f"{expected} yes = no\n"

    def test_a_live_workspace_is_at_the_same_path_and_what_is_written_there_stays(
        self, driver: Driver, scene: Scene
    ) -> None:
        """The point of a workspace."""
        os.chmod(scene.workspace, 0o777)
        scene.file("home", "project", "given", text="from the host")
        program = f"open({scene.workspace + '/made'!r}, 'w').write(open('given').read() + ', seen inside')"
        made = os.path.join(scene.workspace, "made")
        for way in ways(driver).values():
            command = Command(argv=(self.python, "-I", "-S", "-c", program))
            status = way(scene.spec(), command, Stdio(), Path(scene.state), SECONDS)
            assert status.code == 0, status.stderr.data
            assert Path(made).read_text() == "from the host, seen inside"
            owner, mine = os.stat(made), os.stat(scene.workspace)
            assert (owner.st_uid, owner.st_gid) == (mine.st_uid, mine.st_gid)
            os.unlink(made)

    def test_what_a_command_used_is_counted(self, driver: Driver, scene: Scene) -> None:
        """Duration at least; processor time and memory as far as the driver can see them."""
        for status in self.run(driver, scene, "import time; time.sleep(0.2)"):
            assert 0.2 <= status.duration < SECONDS
            assert status.usage.user_seconds >= 0
            assert status.usage.max_rss_bytes >= 0
