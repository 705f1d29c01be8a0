"""A run on a terminal is stopped and continued as a job of a shell; and what a terminal says of a missing command."""

import time

import pytest

from .conftest import World
from .test_terminal import Terminal, on_terminal

PROMPT = b"ready> "


@pytest.fixture
def shell(world: World) -> Terminal:
    terminal = on_terminal(world, "/bin/bash", "--norc", "--noprofile", "-i")
    terminal.type(b"PS1='rea''dy> '\r")
    terminal.until(PROMPT)
    return terminal


def stopped(shell: Terminal) -> None:
    """See that the shell has the terminal, as it was, and a job that is stopped."""
    shell.until(b"Stopped")
    shell.until(PROMPT)
    shell.type(b"jobs; stty -a; echo see''n\r")
    seen = shell.until(b"seen")
    assert b"Stopped" in seen
    assert b" icanon" in seen
    shell.until(PROMPT)


def goes_on(shell: Terminal, text: bytes) -> None:
    shell.type(b"fg\r")
    shell.until(text)
    shell.until(PROMPT)
    shell.type(b"exit 5\r")
    assert shell.end() == 5


def test_a_command_that_stops_itself_is_a_stopped_job_and_goes_on_in_the_foreground(shell: Terminal) -> None:
    shell.type(b"$A sh -c 'kill -STOP $$; read a; echo ba''ck:$a:'\r")
    stopped(shell)
    shell.type(b"fg\r")
    time.sleep(1)
    shell.type(b"word\r")
    shell.until(b"back:word:")
    shell.until(PROMPT)
    shell.type(b"exit 5\r")
    assert shell.end() == 5


@pytest.mark.parametrize("tail", ["", " | cat"])
def test_the_key_that_stops_stops_and_the_command_goes_on_in_the_foreground(shell: Terminal, tail: str) -> None:
    command = f"$A sh -c 'echo be''gin; sleep 3; echo do''ne'{tail}\r"
    shell.type(command.encode())
    shell.until(b"begin")
    shell.type(b"\x1a")
    stopped(shell)
    goes_on(shell, b"done")


@pytest.mark.parametrize("tail", ["", " | cat"])
def test_nothing_inside_goes_on_while_the_run_is_stopped(shell: Terminal, world: World, tail: str) -> None:
    loop = "(while :; do echo x >> ticks; sleep 0.05; done) & echo be''gin; wait"
    shell.type(f"$A setsid -w sh -c '{loop}'{tail}\r".encode())
    shell.until(b"begin")
    time.sleep(0.5)
    shell.type(b"\x1a")
    stopped(shell)
    ticks = world.project / "ticks"
    before = ticks.stat().st_size
    time.sleep(1)
    assert ticks.stat().st_size == before > 0
    shell.type(b"fg\r")
    time.sleep(1)
    assert ticks.stat().st_size > before
    shell.type(b"\x03")
    shell.until(PROMPT)
    shell.type(b"exit 5\r")
    assert shell.end() == 5


def test_a_command_that_handles_the_key_keeps_it(shell: Terminal) -> None:
    shell.type(
        b"$A bash -c 'trap \"echo cau''ght; exit 4\" TSTP; echo be''gin; while :; do sleep 0.1; done'; echo $?:\r"
    )
    shell.until(b"begin")
    shell.type(b"\x1a")
    seen = shell.until(b"4:")
    assert b"caught" in seen
    assert b"Stopped" not in seen
    shell.type(b"exit 5\r")
    assert shell.end() == 5


def test_a_command_that_ends_by_the_key_has_handled_it(shell: Terminal) -> None:
    """It may be gone before anybody can ask whether it handles the key."""
    for _ in range(10):
        shell.type(b"$A bash -c 'trap \"exit 4\" TSTP; echo be''gin; while :; do :; done'; echo $?:\r")
        shell.until(b"begin")
        shell.type(b"\x1a")
        assert b"Stopped" not in shell.until(b":")
    shell.type(b"exit 5\r")
    assert shell.end() == 5


def test_a_shell_inside_stops_its_own_jobs(shell: Terminal) -> None:
    shell.type(b"$A bash --norc -i\r")
    shell.type(b"PS1='in''side> '\r")
    shell.until(b"inside> ")
    shell.type(b"echo be''gin; sleep 100\r")
    shell.until(b"begin")
    time.sleep(1)
    shell.type(b"\x1a")
    shell.until(b"Stopped")
    shell.until(b"inside> ")
    shell.type(b"fg\r")
    time.sleep(1)
    shell.type(b"\x03")
    shell.until(b"inside> ")
    shell.type(b"exit 6\r")
    shell.until(PROMPT)
    shell.type(b"exit $?\r")
    assert shell.end() == 6


def test_a_stopped_run_ends_when_it_is_ended(shell: Terminal) -> None:
    shell.type(b"$A sh -c 'kill -STOP $$; echo ba''ck'\r")
    stopped(shell)
    shell.type(b"kill %1; sleep 2; echo\r")
    shell.until(b"Exit 143")
    shell.type(b"exit 5\r")
    assert shell.end() == 5


def test_where_no_shell_could_continue_it_a_command_that_stops_itself_goes_on(world: World) -> None:
    terminal = on_terminal(world, "/bin/sh", "-c", "$A sh -c 'kill -STOP $$; exit 3'; echo code=$?; stty -a; echo end")
    terminal.until(b"code=3")
    assert b" icanon" in terminal.until(b"end")
    terminal.end()


@pytest.mark.parametrize(
    ("command", "code", "line"),
    [("missing", 127, "missing: not found"), ("/etc/passwd", 126, "/etc/passwd: Permission denied")],
)
def test_a_command_that_cannot_be_executed_is_told_in_our_words(
    world: World, command: str, code: int, line: str
) -> None:
    terminal = on_terminal(world, "/bin/sh", "-c", f"$A {command}; echo code=$?")
    seen = terminal.until(b"code=%d" % code)
    assert line.encode() in seen
    assert b"setsid" not in seen
    terminal.end()
    assert (world.records()[-1]["kind"], world.records()[-1]["exit_code"]) == ("run.end", code)


def test_what_a_command_says_itself_is_not_reworded(world: World) -> None:
    terminal = on_terminal(
        world, "/bin/sh", "-c", "$A sh -c 'echo setsid: failed to execute x: No such file; exit 127'"
    )
    terminal.until(b"setsid: failed to execute x: No such file")
    assert terminal.end() == 127
