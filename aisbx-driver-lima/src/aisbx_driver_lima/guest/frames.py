"""What goes over a connection (`channel`), and trees on it. For both sides."""

from collections.abc import Mapping
from typing import Any

from aisbx_driver_lima.guest.channel import (
    BEGUN,
    CHUNK,
    DATA,
    END,
    ERRORS,
    FAILED,
    GO,
    INPUT,
    OUTPUT,
    PROMISE,
    QUESTION,
    RESULT,
    SHUT,
    SIGNAL,
    SIZE,
    TAKEN,
    VERSION,
    WINDOW,
    Channel,
    ClosedError,
)

__all__ = [
    "BEGUN",
    "CHUNK",
    "DATA",
    "END",
    "ERRORS",
    "FAILED",
    "GO",
    "INPUT",
    "OUTPUT",
    "PROMISE",
    "QUESTION",
    "RESULT",
    "SHUT",
    "SIGNAL",
    "SIZE",
    "TAKEN",
    "VERSION",
    "WINDOW",
    "Channel",
    "ClosedError",
    "TreeReader",
    "TreeWriter",
    "size_in",
]


def size_in(question: Mapping[str, Any]) -> tuple[int, int]:
    """Give the rows and columns that a terminal begins with, as a question says them."""
    rows, columns = question.get("size", (24, 80))
    return int(rows), int(columns)


class TreeWriter:
    """A file object for `tarfile`: what is written becomes frames."""

    def __init__(self, channel: Channel) -> None:
        """Write to this channel."""
        self._channel = channel

    def write(self, data: bytes) -> int:
        """Send bytes on."""
        view = memoryview(data)
        for start in range(0, len(view), CHUNK):
            self._channel.send(DATA, bytes(view[start : start + CHUNK]))
        return len(view)

    def end(self) -> None:
        """Say that it is complete."""
        self._channel.send(END)


class TreeReader:
    """A file object for `tarfile`: reads frames up to the one that says that the tree is complete."""

    def __init__(self, channel: Channel, limit: int) -> None:
        """Read from this channel, `limit` bytes at most."""
        self._channel = channel
        self._left = limit
        self._data = b""
        self._ended = False

    def read(self, size: int) -> bytes:
        """Give `size` bytes, fewer at the end; ClosedError, ValueError beyond the limit."""
        while len(self._data) < size and not self._ended:
            kind, data = self._channel.receive()
            if kind == END:
                self._ended = True
            elif kind != DATA:
                raise ClosedError(f"a frame {kind!r} in a tree")
            self._left -= len(data)
            if self._left < 0:
                raise ValueError("the tree is larger than was allowed")
            self._data += data
        given, self._data = self._data[:size], self._data[size:]
        return given

    def drain(self) -> None:
        """Read the rest: tar pads its end."""
        while not self._ended:
            self.read(CHUNK)
