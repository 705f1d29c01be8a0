"""A person at a terminal: types, and reads what is shown until it has what was waited for."""

import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Sequence
from contextlib import suppress
from fcntl import ioctl

from .conftest import Box

PATIENCE = 30.0


class Person:
    """`aisbx` on a terminal of its own."""

    def __init__(
        self, box: Box, arguments: Sequence[str], rows: int = 24, columns: int = 80, command: Sequence[str] = ()
    ) -> None:
        """`arguments` are aisbx's; with a `command` that is started in its place."""
        self.master, slave = pty.openpty()
        self.resize(rows, columns)
        self.shown = b""
        self.process = subprocess.Popen(
            ["setsid", "--ctty", "--wait", *(command or box.argv(*arguments))],
            cwd=box.project,
            env=box.env | {"TERM": "dumb"},
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        os.close(slave)

    def resize(self, rows: int, columns: int) -> None:
        ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def sees(self, text: str) -> bytes:
        """Wait until something is shown, and give all that was shown up to it; what follows is for the next."""
        until = time.monotonic() + PATIENCE
        while text.encode() not in self.shown:
            assert time.monotonic() < until, self.shown
            if not self._read(0.2) and self.process.poll() is not None:
                assert text.encode() in self.shown, self.shown
        before, found, self.shown = self.shown.partition(text.encode())
        return before + found

    def ends(self) -> int:
        """Read on until the process has ended, and give its exit code."""
        until = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            self._read(0.1)
            if time.monotonic() > until:
                self.process.kill()
        while self._read(0):
            pass
        os.close(self.master)
        return self.process.wait()

    def _read(self, seconds: float) -> bool:
        if not select.select([self.master], [], [], seconds)[0]:
            return False
        data = b""
        with suppress(OSError):  # EIO: nobody has the other side any more
            data = os.read(self.master, 65536)
        self.shown += data
        return bool(data)
