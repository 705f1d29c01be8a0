"""Frames on a stream socket: a kind (one byte), a length (four bytes, big-endian), that many bytes. For both sides.

The peer of the host's side is the guest, which may have been taken over: whatever it sends is bounded and checked.
Builtin modules only: `aisbx exec` loads this from a plan. `frames` has it too, and what else is sent.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from socket import socket
    from typing import Final

QUESTION: "Final" = b"Q"
"""JSON to the guest: what is wanted; a pickled spec and command may follow as a `DATA`."""
PROMISE: "Final" = b"P"
"""JSON from the guest: what it will enforce, before anything runs."""
GO: "Final" = b"G"
"""The promise is enough: run it."""
DATA: "Final" = b"D"
"""Bytes of a tree (tar), or of a pickle."""
END: "Final" = b"Z"
"""A tree is complete."""
BEGUN: "Final" = b"B"
"""From the guest: the command of a sandbox that lasts is about to begin; before this nothing of it has run."""
INPUT: "Final" = b"I"
"""Bytes for the command's input; empty: its end."""
TAKEN: "Final" = b"A"
"""From the guest: how many bytes of input (four bytes) have been passed on."""
OUTPUT: "Final" = b"1"
ERRORS: "Final" = b"2"
SHUT: "Final" = b"X"
"""To the guest: nobody takes this stream (`OUTPUT` or `ERRORS`) any more."""
SIGNAL: "Final" = b"S"
"""To the guest: one byte, the number of a signal for the command; SIGKILL ends the sandbox."""
SIZE: "Final" = b"W"
"""To the guest: rows and columns of the terminal, two bytes each."""
RESULT: "Final" = b"R"
"""JSON from the guest: how the command ended."""
FAILED: "Final" = b"F"
"""JSON from the guest: [code, message, hint] of what kept it from running."""

VERSION: "Final" = 4
"""Of what is asked: an agent of another answers that it is of another version."""
CHUNK: "Final" = 1 << 16
WINDOW: "Final" = 1 << 17
"""Bytes of input that may be under way: a command that reads none must not keep a signal from it."""
MOST: "Final" = 1 << 20
"""Bytes that a frame may have."""
_HEADER = 5


class ClosedError(Exception):
    """The other side has gone, or what it sends is no frame."""


class Channel:
    """One connection. What is sent waits in `unsent` until `flush` could hand it over."""

    def __init__(self, connection: "socket", received: bytes = b"") -> None:
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
        self.unsent += kind + len(data).to_bytes(4, "big") + data

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
        import json

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

    def frame(self) -> "tuple[bytes, bytes] | None":
        """Give the next frame that is here as a whole; ClosedError for one that is too long."""
        if len(self._received) < _HEADER:
            return None
        length = int.from_bytes(self._received[1:_HEADER], "big")
        if length > MOST:
            raise ClosedError(f"a frame of {length} bytes")
        end = _HEADER + length
        if len(self._received) < end:
            return None
        kind, data = bytes(self._received[:1]), bytes(self._received[_HEADER:end])
        del self._received[:end]
        return kind, data

    def receive(self, seconds: "float | None" = None) -> "tuple[bytes, bytes]":
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
        import socket

        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            return

    def close(self) -> None:
        """Close it; the other side sees its end."""
        self.socket.close()
