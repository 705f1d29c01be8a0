"""The caller's terminal while a command of the guest has a pty: raw, and its size passed on."""

import os

from aisbx.types import Stdio


class Raw:
    """Raw mode from `enter` to `leave`; what is looked at is polled, so that no signal handler is taken over."""

    EVERY = 200.0
    """Milliseconds between looks at the size."""

    def __init__(self, descriptor: int) -> None:
        """Take the terminal's descriptor; nothing is changed yet."""
        self._descriptor = descriptor
        self._before: list[object] | None = None
        self._known = self.size()

    def size(self) -> tuple[int, int]:
        """Give rows and columns, 24 and 80 where the terminal knows none."""
        try:
            found = os.get_terminal_size(self._descriptor)
        except OSError:
            return 24, 80
        return (found.lines or 24, found.columns or 80)

    def changed(self) -> tuple[int, int] | None:
        """Give the size if it has changed since it was last asked for."""
        now = self.size()
        if now == self._known:
            return None
        self._known = now
        return now

    def enter(self) -> None:
        """Put it into raw mode."""
        import termios
        import tty

        if self._before is None:
            self._before = termios.tcgetattr(self._descriptor)
            tty.setraw(self._descriptor)

    def leave(self) -> None:
        """Give it back as it was."""
        import termios

        if self._before is not None:
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._before)  # pyright: ignore[reportArgumentType]
            self._before = None


def begins(stdio: Stdio) -> tuple[int, int]:
    """Give rows and columns that the pty of a command has when it starts: what comes later it may not hear of."""
    if stdio.terminal and isinstance(stdio.stdin, int):
        return Raw(stdio.stdin).size()
    return 24, 80
