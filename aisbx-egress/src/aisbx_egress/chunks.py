"""A request's body in chunks (RFC 9112, 7.1), counted and checked as it passes: extensions and trailers are refused."""

import re

from aisbx_egress.head import HeadProblem

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,12})\r\n")
_LINE = 14


class Chunks:
    """Tells where a body ends. What it lets by is what it was given, to the last byte of the body."""

    def __init__(self) -> None:
        """Begin before the first chunk."""
        self.done = False
        self._left = 0
        """Bytes of the present chunk, with the CR and LF after it, that are still to come."""
        self._last = False
        self._waiting = b""

    def take(self, data: bytes) -> bytes:
        """Give the bytes that may go on; what comes after the body does not. HeadProblem for what is no chunk."""
        data, self._waiting = self._waiting + data, b""
        passed: list[bytes] = []
        while data and not self.done:
            if self._left > 2:  # noqa: PLR2004 - CR and LF
                count = min(len(data), self._left - 2)
                passed.append(data[:count])
                data, self._left = data[count:], self._left - count
            elif self._left:
                if len(data) < self._left:
                    self._waiting = data
                    break
                if data[:2] != b"\r\n":
                    raise HeadProblem("a chunk is longer than it says")
                passed.append(b"\r\n")
                data, self._left = data[2:], 0
                self.done = self._last
            else:
                data = self._begin(data, passed)
        return b"".join(passed)

    def _begin(self, data: bytes, passed: list[bytes]) -> bytes:
        found = _SIZE.match(data)
        if found is None:
            if len(data) >= _LINE or b"\n" in data or not re.fullmatch(rb"[0-9A-Fa-f]*\r?", data):
                raise HeadProblem("a chunk does not begin with its size")
            self._waiting = data
            return b""
        size = int(found[1], 16)
        self._last = not size
        self._left = size + 2
        passed.append(found[0])
        return data[found.end() :]
