"""A pty's size is set through its own descriptor: never through a number that has become another's."""

import os
import posix
import pty
import termios
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aisbx_linux.launch import Launch
from aisbx_linux.relay import Budget, Output


@pytest.fixture
def others() -> Iterator[int]:
    """Give a terminal of somebody else's."""
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, 80))
    yield slave
    for descriptor in (master, slave):
        os.close(descriptor)


def command() -> tuple[Launch, Output]:
    """Give a command that has a pty, as far as it matters here, and what relays that."""
    master, slave = pty.openpty()
    os.close(slave)
    shown = Output(master, 1, Budget(0, None))
    launch = SimpleNamespace(wires=SimpleNamespace(stdout=shown), request={"terminal": True})
    return cast("Launch", launch), shown


def resize(launch: Launch, rows: int, columns: int) -> None:
    Launch.resize(launch, rows, columns)


def opened() -> set[str]:
    return {*os.listdir("/proc/self/fd")}


def test_a_size_that_comes_after_the_end_reaches_nobody(others: int) -> None:
    launch, shown = command()
    number = shown.source
    resize(launch, 33, 99)
    assert termios.tcgetwinsize(number) == (33, 99)
    shown.close()
    os.dup2(others, number)
    with pytest.raises(ValueError, match="no terminal"):
        resize(launch, 1, 1)
    assert termios.tcgetwinsize(others) == (24, 80)
    os.close(number)


def test_nor_one_that_comes_at_that_moment(others: int, monkeypatch: pytest.MonkeyPatch) -> None:
    launch, shown = command()
    number, real = shown.source, posix.dup

    def late(descriptor: int) -> int:
        shown.close()
        os.dup2(others, number)
        return real(descriptor)

    monkeypatch.setattr(posix, "dup", late)
    before = opened()
    with pytest.raises(ValueError, match="no terminal"):
        resize(launch, 1, 1)
    assert termios.tcgetwinsize(others) == (24, 80)
    assert opened() == before
    os.close(number)


def test_a_command_without_a_terminal_has_no_size() -> None:
    launch, shown = command()
    cast("Any", launch).request["terminal"] = False
    with pytest.raises(ValueError, match="no terminal"):
        resize(launch, 1, 1)
    shown.close()
