"""Ask a command's supervisor: what `door.py` answers."""

import os
import socket
from typing import Self

from aisbx.background.door import DONE, LONGEST, MORE, REFUSED, SOCKET
from aisbx.errors import StateError
from aisbx.readiness import readable

_PATIENCE = 10.0


class Caller:
    """A connection to the supervisor of a command that runs; StateError where there is none (any more)."""

    def __init__(self, place: str) -> None:
        """Connect to the supervisor of the command whose directory is `place`."""
        self.stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            directory = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                self.stream.connect(f"/proc/self/fd/{directory}/{SOCKET}")
            finally:
                os.close(directory)
        except OSError:
            self.stream.close()
            raise StateError("the command has ended", hint="see: aisbx ps, aisbx logs") from None
        self.over = False
        """Whether the supervisor has ended the connection: the command has ended."""
        self.answers: list[bytes] = []

    @classmethod
    def reach(cls, place: str) -> Self:
        """Connect; where the command has ended the connection is `over`."""
        try:
            return cls(place)
        except StateError:
            gone = cls.__new__(cls)
            gone.stream, other = socket.socketpair()
            other.close()
            gone.over, gone.answers = True, []
            return gone

    def send(self, kind: bytes, content: bytes = b"") -> None:
        """Send a message; nothing happens where the command has ended."""
        try:
            self.stream.sendall(kind + len(content).to_bytes(4, "little") + content)
        except OSError:
            self.over = True

    def ask(self, kind: bytes, content: bytes = b"", *, patience: float | None = _PATIENCE) -> bool:
        """Send a message and wait for its answer: whether it could be done. StateError where none comes."""
        self.send(kind, content)
        while not self.answers and not self.over:
            if not readable([self.stream.fileno()], patience):
                raise StateError("the command's supervisor does not answer", hint="see whether it is stopped")
            self.hear()
        return self.took()

    def took(self) -> bool:
        """Give the next answer that has come, whether it could be done; False where there is none."""
        return bool(self.answers) and self.answers.pop(0) == DONE

    def hear(self) -> bool:
        """Take what was answered, without waiting where something is there; True if there is more output."""
        try:
            data = self.stream.recv(LONGEST)
        except OSError:
            data = b""
        self.over = self.over or not data
        self.answers += [bytes([letter]) for letter in data if bytes([letter]) in {DONE, REFUSED}]
        return MORE in data

    def close(self) -> None:
        """Leave."""
        self.stream.close()
