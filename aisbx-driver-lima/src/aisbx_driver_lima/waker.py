"""Wakes who waits in poll(2): from another thread, or from a signal's handler, after which poll(2) begins anew."""

import contextlib
import os


class Waker:
    """A pipe of this process's own; its reading end becomes ready."""

    def __init__(self) -> None:
        """Have nobody woken yet."""
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)

    def fileno(self) -> int:
        """Give what becomes readable."""
        return self._reader

    def wake(self) -> None:
        """Have it readable; from anywhere."""
        with contextlib.suppress(BlockingIOError):  # full: it is
            os.write(self._writer, b".")

    def sleep(self) -> None:
        """Have it readable no more."""
        os.read(self._reader, 4096)

    def __del__(self) -> None:
        """Close it."""
        os.close(self._reader)
        os.close(self._writer)
