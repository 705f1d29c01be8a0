"""A pty of the run's own: sizes, keys, job control, and the caller's terminal as it was."""

import fcntl
import os
import pty
import select
import shlex
import signal
import struct
import termios
import time
from collections.abc import Callable

import pytest

from .conftest import World


class Terminal:
    """A process on a new terminal."""

    def __init__(self, world: World, *command: str) -> None:
        argv = world.argv("--", *command)
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            try:
                os.chdir(world.project)
                os.execve(argv[0], argv, {**world.environ, "TERM": "xterm"})
            finally:
                os._exit(99)
        self.seen = b""

    def size(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def until(self, text: bytes, seconds: float = 20.0) -> bytes:
        end = time.monotonic() + seconds
        while text not in self.seen:
            ready, _, _ = select.select([self.master], [], [], max(0.0, end - time.monotonic()))
            assert ready, self.seen
            try:
                data = os.read(self.master, 4096)
            except OSError:
                data = b""
            assert data, self.seen
            self.seen += data
        before, _, self.seen = self.seen.partition(text)
        return before

    def end(self, seconds: float = 30.0) -> int:
        until = time.monotonic() + seconds
        while True:
            ready, _, _ = select.select([self.master], [], [], max(0.0, until - time.monotonic()))
            try:
                if not ready or not os.read(self.master, 4096):
                    break
            except OSError:
                break
        if not ready:
            os.kill(self.pid, signal.SIGKILL)
        _, status = os.waitpid(self.pid, 0)
        os.close(self.master)
        return os.waitstatus_to_exitcode(status)


def on_terminal(world: World, *argv: str) -> Terminal:
    """Start a command of the host's on a new terminal; `$A` is `aisbx run --` there."""
    if world.way != "full":
        world.warm()
    aisbx = world.home / "aisbx-run"
    aisbx.write_text("#!/bin/sh\nexec " + " ".join(shlex.quote(word) for word in world.argv("--")) + ' "$@"\n')
    aisbx.chmod(0o755)
    terminal = Terminal.__new__(Terminal)
    terminal.seen = b""
    terminal.pid, terminal.master = pty.fork()
    if terminal.pid == 0:
        try:
            os.chdir(world.project)
            os.execve(argv[0], argv, {**world.environ, "TERM": "xterm", "A": str(aisbx), "PS1": "$ "})
        finally:
            os._exit(99)
    return terminal


# timeout(1) puts its command into a process group of its own, which a script does not make the foreground one.
def test_a_run_in_a_background_group_ends_as_the_command_would(world: World) -> None:
    terminal = on_terminal(world, "/bin/sh", "-c", "timeout 40 $A test -t 1; echo code=$?; stty -a; echo end")
    seen = terminal.until(b"code=0", 30)
    assert b"Error" not in seen
    assert b" icanon" in terminal.until(b"end"), "nothing of the terminal was changed"
    terminal.end()


def test_a_run_in_the_background_leaves_keys_to_the_shell_until_it_is_in_the_foreground(world: World) -> None:
    terminal = on_terminal(world, "/bin/bash", "--norc", "--noprofile", "-i")
    terminal.type(b"$A sh -c 'echo in''side; read a; echo got:$a:' &\r")
    terminal.until(b"inside")
    terminal.type(b"echo my''self\r")
    terminal.until(b"myself")
    terminal.type(b"jobs; echo list''ed\r")
    assert b"Running" in terminal.until(b"listed")
    terminal.type(b"fg\r")
    time.sleep(1)
    terminal.type(b"word\r")
    terminal.until(b"got:word:")
    terminal.until(b"$ ")  # what is typed before that may still be the command's, as with any pty in between
    terminal.type(b"stty -a; exit 5\r")
    terminal.until(b" icrnl")
    assert terminal.end() == 5


@pytest.fixture
def open_terminal(world: World) -> Callable[..., Terminal]:
    if world.way != "full":
        world.warm()

    def make(*command: str) -> Terminal:
        return Terminal(world, *command)

    return make


def test_the_inside_is_on_a_terminal_of_the_callers_size(open_terminal: Callable[..., Terminal]) -> None:
    terminal = open_terminal("sh", "-c", "read go; test -t 0 && test -t 1 && test -t 2 && stty size; exit 3")
    terminal.size(33, 111)
    time.sleep(0.5)
    terminal.type(b"\r")
    terminal.until(b"33 111")
    assert terminal.end() == 3


def test_a_new_size_reaches_the_inside(open_terminal: Callable[..., Terminal]) -> None:
    terminal = open_terminal(
        "bash", "-c", "trap 'stty size' WINCH; trap 'exit 7' INT; echo ready; while :; do sleep 0.1; done"
    )
    terminal.until(b"ready")
    terminal.size(44, 122)
    terminal.until(b"44 122")
    terminal.type(b"\x03")
    assert terminal.end() == 7


def test_keys_arrive_as_keys_and_an_interrupt_interrupts(open_terminal: Callable[..., Terminal]) -> None:
    terminal = open_terminal("sh", "-c", "trap 'echo caught; exit 4' INT; echo ready; while :; do sleep 0.1; done")
    terminal.until(b"ready")
    terminal.type(b"\x03")
    terminal.until(b"caught")
    assert terminal.end() == 4


def test_a_shell_has_job_control(open_terminal: Callable[..., Terminal]) -> None:
    terminal = open_terminal("bash", "--norc", "-i")
    terminal.type(b"sleep 100 & jobs; tty >/dev/null; kill %1; echo done=$?\r")
    seen = terminal.until(b"done=0")
    assert b"Running" in seen
    assert b"no job control" not in seen
    terminal.type(b"exit 6\r")
    assert terminal.end() == 6


def test_nothing_can_be_typed_into_the_callers_terminal(open_terminal: Callable[..., Terminal]) -> None:
    attack = "import fcntl\nfor c in b'echo planted\\n':\n    fcntl.ioctl(0, 0x5412, bytes([c]))"
    terminal = open_terminal("/usr/bin/python3", "-c", attack)
    seen = terminal.until(b"Error")
    assert b"PermissionError" in seen + b"Error" + terminal.seen or b"OSError" in seen + terminal.seen
    assert terminal.end() == 1


def test_the_callers_terminal_is_given_back_as_it_was(world: World) -> None:
    if world.way != "full":
        world.warm()
    line = " ".join(f"'{word}'" for word in world.argv("--", "true"))
    # The same terminal before and after, seen from a shell that lives on it.
    terminal = Terminal.__new__(Terminal)
    terminal.seen = b""
    terminal.pid, terminal.master = pty.fork()
    if terminal.pid == 0:
        try:
            os.chdir(world.project)
            script = f"stty -g; {line}; stty -g; echo end"
            os.execve("/bin/sh", ["/bin/sh", "-c", script], {**world.environ, "TERM": "xterm"})
        finally:
            os._exit(99)
    lines = terminal.until(b"end").split()
    assert lines[0] == lines[-1]
    terminal.end()
