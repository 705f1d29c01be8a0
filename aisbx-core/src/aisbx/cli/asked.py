"""Who sits at the terminal is asked what a policy leaves to a person."""

import os
from collections.abc import Callable
from typing import TypeVar

from aisbx.cli.render import printable, shell_words
from aisbx.cli.session import engine, principal
from aisbx.engine.policies import approve, approving
from aisbx.errors import ApprovalError, PolicyError

T = TypeVar("T")
_LONGEST = 1024


def asked(work: Callable[[], T]) -> T:
    """Do it, again after each yes; ApprovalError where nobody is there, PolicyError for a no."""
    yes: set[str] = set()
    while True:
        try:
            with approving(yes):
                return work()
        except ApprovalError as error:
            if error.key in yes or not (os.isatty(0) and os.isatty(2)):
                raise
            if not _agrees(error):
                raise PolicyError(f"{error.rule}: {error.reason}; you said no", hint=error.hint) from None
            approve(engine(), error, principal(), "cli")
            yes.add(error.key)


def _agrees(error: ApprovalError) -> bool:
    import termios

    termios.tcflush(0, termios.TCIFLUSH)  # what was typed before the question is no answer to it
    told = f"aisbx: {printable(error.rule)}: {printable(error.reason)}\naisbx: run {shell_words(error.argv)} ? [y/N] "
    os.write(2, told.encode(errors="backslashreplace"))
    return os.read(0, _LONGEST).strip().lower() in {b"y", b"yes"}  # a terminal gives a line at a time
