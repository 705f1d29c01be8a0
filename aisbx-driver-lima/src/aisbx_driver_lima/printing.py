"""What a command printed, on its way to the caller's descriptor: as that takes it, so that a signal need not wait.

Builtin modules only: `aisbx exec` loads this from a plan.
"""

import select
import sys

if sys.platform == "win32":
    import os as posix
else:
    import posix

_SAFE = 4096
"""Bytes for which there is room where poll(2) says so, on a pipe, socket or terminal (pipe(7): PIPE_BUF)."""


class Printing:
    """Bytes for a descriptor that may block, which never happens here."""

    def __init__(self, target: int, data: bytes) -> None:
        """Write nothing yet."""
        self.target = target
        self._left = memoryview(data)

    def go_on(self) -> bool:
        """Write what there is room for, and tell whether that was all; OSError where nobody takes it any more."""
        poller = select.poll()
        poller.register(self.target, select.POLLOUT)
        while self._left and poller.poll(0):
            try:
                self._left = self._left[posix.write(self.target, self._left[:_SAFE]) :]
            except BlockingIOError:
                break
        return not self._left
