"""Signals of a process that exists for one command, where its driver has no plan for a launcher that passes them on."""

import signal
from collections.abc import Generator
from contextlib import contextmanager

from aisbx.types import ExitStatus, Process, given

_RELAYED = ("SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGTERM")
"""As `aisbx_linux.host` does."""


def wait(process: Process, *, exclusive: bool) -> ExitStatus:
    """Wait for the end of a command; StateError where its driver does not tell it, and what kept it from running.

    `exclusive`: this process exists for it alone, so that what is sent to this one is meant for it.
    """
    if not exclusive:
        return given(process.wait())
    with relayed(process):
        return given(process.wait())


@contextmanager
def relayed(process: Process) -> Generator[None]:
    """Pass on to a command what is sent to this process meanwhile; what is ignored here (nohup) stays so."""

    def relay(number: int, _: object) -> None:
        process.signal(number)

    before: dict[int, object] = {}
    try:
        for name in _RELAYED:
            number = getattr(signal, name, None)  # not every system has all of them
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, relay)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)  # pyright: ignore[reportArgumentType]
