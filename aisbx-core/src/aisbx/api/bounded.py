"""The beginning and the end of what a command prints, and how much is missing between."""

from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cut:
    """Where bytes are missing: `missing` of them, behind the first `at` that are there."""

    at: int
    missing: int


class HeadAndTail:
    """Takes any number of bytes and keeps the first `head` of them and the last `tail`."""

    def __init__(self, head: int, tail: int = 0) -> None:
        """Begin with nothing."""
        self._room = head
        self._head = bytearray()
        self._most = tail
        self._tail: deque[bytes] = deque()
        self._held = 0
        """Bytes in `_tail`, which may be one chunk more than `tail`."""
        self._seen = 0

    def add(self, data: bytes) -> None:
        """Take what was printed next."""
        self._seen += len(data)
        if self._room:
            self._head += data[: self._room]
            data, self._room = data[self._room :], max(0, self._room - len(data))
        if not data or not self._most:
            return
        self._tail.append(data[-self._most :])
        self._held += len(self._tail[-1])
        while self._held - len(self._tail[0]) >= self._most:
            self._held -= len(self._tail.popleft())

    def skip(self, count: int) -> None:
        """Take note of bytes that are lost: what was kept of the end before them is no more its end."""
        if count:
            self._seen += count
            self._room = 0
            self._tail.clear()
            self._held = 0

    def given(self) -> tuple[bytes, Cut | None]:
        """Give what was kept, and where something is missing."""
        tail = b"".join(self._tail)[-self._most :] if self._most else b""
        missing = self._seen - len(self._head) - len(tail)
        return bytes(self._head) + tail, Cut(len(self._head), missing) if missing else None


def shown(data: bytes, cut: Cut | None) -> str:
    """Give bytes as UTF-8 (what is none is replaced), with a line in the place of what is missing."""
    if cut is None:
        return data.decode(errors="replace")
    head, tail = (part.decode(errors="replace") for part in (data[: cut.at], data[cut.at :]))
    return f"{head}\n[{cut.missing} bytes left out]\n{tail}"
