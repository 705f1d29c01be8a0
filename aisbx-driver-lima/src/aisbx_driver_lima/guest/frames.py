"""Frames on a stream socket: a kind (one byte), a length (four bytes, big-endian), that many bytes. For both sides.

The peer of the host's side is the guest, which may have been taken over: whatever it sends is bounded and checked.
"""

import contextlib
import json
import socket
import struct
from collections.abc import Mapping
from typing import Any, Final

QUESTION: Final = b"Q"
"""JSON to the guest: what is wanted; the pickled spec and command follow as a `DATA`."""
PROMISE: Final = b"P"
"""JSON from the guest: what it will enforce, before anything runs."""
GO: Final = b"G"
"""The promise is enough: run it."""
DATA: Final = b"D"
"""Bytes of a tree (tar), or of a pickle."""
END: Final = b"Z"
"""A tree is complete."""
INPUT: Final = b"I"
"""Bytes for the command's input; empty: its end."""
TAKEN: Final = b"A"
"""From the guest: how many bytes of input (four bytes) have been passed on."""
OUTPUT: Final = b"1"
ERRORS: Final = b"2"
SHUT: Final = b"X"
"""To the guest: nobody takes this stream (`OUTPUT` or `ERRORS`) any more."""
SIGNAL: Final = b"S"
"""To the guest: one byte, the number of a signal for the command; SIGKILL ends the sandbox."""
SIZE: Final = b"W"
"""To the guest: rows and columns of the terminal, two bytes each."""
RESULT: Final = b"R"
"""JSON from the guest: how the command ended."""
FAILED: Final = b"F"
"""JSON from the guest: [code, message, hint] of what kept it from running."""

VERSION: Final = 3
"""Of what is asked: an agent of another answers that it is of another version."""
CHUNK: Final = 1 << 16
WINDOW: Final = 1 << 17
"""Bytes of input that may be under way: a command that reads none must not keep a signal from it."""
_HEADER = struct.Struct(">cI")
_MOST = 1 << 20


def size_in(question: Mapping[str, Any]) -> tuple[int, int]:
    """Give the rows and columns that a terminal begins with, as a question says them."""
    rows, columns = question.get("size", (24, 80))
    return int(rows), int(columns)


class ClosedError(Exception):
    """The other side has gone, or what it sends is no frame."""


class Channel:
    """One connection. What is sent waits in `unsent` until `flush` could hand it over."""

    def __init__(self, connection: socket.socket, received: bytes = b"") -> None:
        """Take over a connected stream socket, of which this much has been `received` already."""
        self.socket = connection
        self.unsent = bytearray()
        self._received = bytearray(received)
        connection.settimeout(0.0)

    def fileno(self) -> int:
        """Give the descriptor, for poll(2)."""
        return self.socket.fileno()

    def rest(self) -> bytes:
        """Give what has come and is no frame yet that anybody has got."""
        return bytes(self._received)

    def put(self, kind: bytes, data: bytes = b"") -> None:
        """Queue one frame."""
        self.unsent += _HEADER.pack(kind, len(data)) + data

    def flush(self) -> None:
        """Hand over what the socket takes now; ClosedError."""
        while self.unsent:
            try:
                sent = self.socket.send(memoryview(self.unsent)[: 4 * CHUNK])
            except BlockingIOError:
                return
            except OSError as error:
                raise ClosedError(str(error)) from error
            del self.unsent[:sent]

    def send(self, kind: bytes, data: bytes = b"") -> None:
        """Send one frame, and wait until the socket has taken it; ClosedError."""
        self.put(kind, data)
        self.socket.settimeout(None)
        try:
            self.flush()
        finally:
            self.socket.settimeout(0.0)

    def fail(self, code: str, message: str, hint: str) -> None:
        """Say what kept what was asked for from being done; ClosedError."""
        self.send(FAILED, json.dumps([code, message, hint]).encode())

    def pull(self) -> bool:
        """Read what is there now; False at the end of the stream."""
        try:
            data = self.socket.recv(4 * CHUNK)
        except BlockingIOError:
            return True
        except OSError as error:
            raise ClosedError(str(error)) from error
        self._received += data
        return bool(data)

    def frame(self) -> tuple[bytes, bytes] | None:
        """Give the next frame that is here as a whole; ClosedError for one that is too long."""
        if len(self._received) < _HEADER.size:
            return None
        kind, length = _HEADER.unpack_from(self._received)
        if length > _MOST:
            raise ClosedError(f"a frame of {length} bytes")
        end = _HEADER.size + length
        if len(self._received) < end:
            return None
        data = bytes(self._received[_HEADER.size : end])
        del self._received[:end]
        return kind, data

    def receive(self, seconds: float | None = None) -> tuple[bytes, bytes]:
        """Wait for the next frame; ClosedError at the end of the stream, and where nothing comes for so long."""
        while (found := self.frame()) is None:
            self.socket.settimeout(seconds)
            try:
                more = self.pull()
            finally:
                self.socket.settimeout(0.0)
            if not more:
                raise ClosedError("the other side has ended")
        return found

    def hang_up(self) -> None:
        """End it, whoever waits for it in another thread; may be called twice."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close it; the other side sees its end."""
        self.socket.close()


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
