"""This process's terminal, for a command that runs on a supervisor's machine."""

import os
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress

from aisbx.errors import AisbxError


@contextmanager
def taken(resize: Callable[[int, int], None]) -> Generator[None]:
    """Have the terminal pass every key through, tell its size now and when it changes, and give it back as it was."""
    import termios
    import tty

    def tell() -> None:
        with suppress(AisbxError, OSError):
            size = os.get_terminal_size(0)
            resize(size.lines, size.columns)

    def changed(_number: int, _frame: object) -> None:
        threading.Thread(target=tell, daemon=True).start()  # a signal may come in the middle of anything

    saved = termios.tcgetattr(0)
    before = signal.signal(signal.SIGWINCH, changed)
    try:
        tty.setraw(0, termios.TCSADRAIN)
        tell()
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)
        termios.tcsetattr(0, termios.TCSADRAIN, saved)
