"""What a command prints: small output in memory, large on disk with its beginning and its end, read from any place."""

import os
from contextlib import suppress
from dataclasses import dataclass

from aisbx.background.output import Reader
from aisbx.background.spool import HEAD, TAIL, Spool

IN_MEMORY = 1 << 18
"""Bytes that are kept without a file."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes from a place on; `following` is where the next begin, `missing` how many before these were not kept."""

    data: bytes
    following: int
    missing: int = 0


class Output:
    """The output of one command, both streams in the order in which they were printed."""

    def __init__(self, place: str) -> None:
        """`place` is a private directory, which is made when there is something to put into it."""
        self.size = 0
        self.closed = False
        self._place = place
        self._memory = bytearray()
        self._spool: Spool | None = None

    @property
    def stored(self) -> int:
        """Bytes on disk, at most."""
        return min(self.size, HEAD + 2 * TAIL) if self._spool is not None else 0

    def append(self, data: bytes) -> None:
        """Add what was printed."""
        self.size += len(data)
        if self._spool is None and self.size <= IN_MEMORY:
            self._memory += data
            return
        if self._spool is None:
            with suppress(OSError):  # the spool counts what it can't write, and where it can't, all is missing
                os.makedirs(self._place, mode=0o700, exist_ok=True)
            self._spool = Spool(self._place)
            self._spool.append(1, bytes(self._memory))
            self._memory.clear()
        self._spool.append(1, data)

    def close(self) -> None:
        """Nothing more comes."""
        self.closed = True
        if self._spool is not None:
            self._spool.close()

    def read(self, position: int, most: int) -> Piece:
        """Give at most so many bytes from a position on; none where there are no more at present."""
        position = min(max(position, 0), self.size)
        if self._spool is None:
            data = bytes(self._memory[position : position + most])
            return Piece(data, position + len(data))
        reader = Reader(self._place, position)
        data = b""
        missing = 0
        while len(data) < most and (part := reader.read(most - len(data))) is not None:
            if part.missing and data:
                break  # the rest begins elsewhere: it comes with the next call
            missing += part.missing
            data += part.data
        if not data and not missing and position < self.size and self.closed:
            return Piece(b"", self.size, self.size - position)  # the disk took none of it
        return Piece(data, position + missing + len(data), missing)

    def ends(self, most: int) -> tuple[bytes, int, bytes]:
        """Give the beginning, how many bytes are left out, and the end: all of it where it is no longer than `most`."""
        if self.size <= most:
            piece = self.read(0, most)
            return piece.data, piece.missing, b""
        head = self.read(0, most // 2).data
        tail = self.read(self.size - (most - most // 2), most).data
        return head, self.size - len(head) - len(tail), tail
