"""Write what a command prints to disk: its beginning and its end, whatever it prints. Builtin modules only.

The bytes are in files `output.OFFSET`, each beginning where its name says; the first is kept, and of the later ones
the last two. Beside each, `times.OFFSET` has lines `OFFSET STREAM SECONDS`: from that byte on it was printed on that
stream, at that time (since the epoch). What could not be written is missing between two files, and counted.
"""

import posix
import time

HEAD = TAIL = 16 << 20
"""Bytes of the first file, and of each of the last two."""
OUTPUT, TIMES = "output.", "times."
_MARKS = 1 << 16
"""So many lines of times a file has at most while it is written quickly; then one for each such part of it."""
_EVERY = 1.0
_AGAIN = 1.0
_FLAGS = posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | posix.O_NOFOLLOW | posix.O_CLOEXEC
_KEPT = 2


class Spool:
    """The output of one command; never raises, for a full disk must not end it."""

    __slots__ = (
        "_file",
        "_head",
        "_left",
        "_mark",
        "_marks",
        "_place",
        "_retry",
        "_starts",
        "_tail",
        "_times",
        "error",
        "lost",
        "size",
    )

    def __init__(self, place: str, head: int = HEAD, tail: int = TAIL) -> None:
        """Nothing is made before there is output. `place` is a private directory of ours."""
        self._place = place
        self._head, self._tail = head, tail
        self._starts: list[int] = []
        self._file = self._times = -1
        self._left: int = 0
        """Bytes that still go into the present file."""
        self._mark = (0, 0.0, 0)
        self._marks = 0
        self._retry = 0.0
        self.error = 0
        """The errno with which the file system refused bytes last; 0 while all could be written."""
        self.size = 0
        self.lost = 0

    def append(self, stream: int, data: bytes) -> None:
        """Add what was printed on a stream."""
        rest = memoryview(data)
        while rest:
            try:
                if self._left <= 0:
                    self._begin()
                self._note(stream)
                written = posix.write(self._file, rest[: self._left])
            except OSError as error:
                self._lose(error.errno or 5, len(rest))
                return
            self.size += written
            self._left -= written
            rest = rest[written:]

    def close(self) -> None:
        """Close the files."""
        for descriptor in (self._file, self._times):
            if descriptor >= 0:
                posix.close(descriptor)
        self._file = self._times = -1
        self._left = 0

    def _begin(self) -> None:
        """Begin the next file; OSError where it can't be."""
        self.close()
        if self._retry and time.monotonic() < self._retry:
            raise OSError(self.error, "")
        self._times = posix.open(f"{self._place}/{TIMES}{self.size}", _FLAGS, 0o600)
        self._file = posix.open(f"{self._place}/{OUTPUT}{self.size}", _FLAGS, 0o600)
        self._left = self._tail if self._starts else self._head
        self._mark, self._marks = (0, 0.0, self.size), 0
        self._starts.append(self.size)
        while len(self._starts) > 1 + _KEPT:
            self._remove(self._starts.pop(1))

    def _note(self, stream: int) -> None:
        """Write down when and where what comes was printed, before it can be read."""
        now = time.time()
        before, last, place = self._mark
        if stream == before and now - last < _EVERY:
            return
        if self._marks >= _MARKS and self.size - place < self._tail // _MARKS:
            return
        posix.write(self._times, f"{self.size} {stream} {now:.3f}\n".encode())
        self._mark = (stream, now, self.size)
        self._marks += 1

    def _lose(self, error: int, count: int) -> None:
        """Go on without bytes that can't be written, and try again after a while."""
        now = time.monotonic()
        if not self._retry or now >= self._retry:
            self._retry = now + _AGAIN
        self.error = error
        self.lost += count
        empty = self._starts and self._starts[-1] == self.size
        self.close()
        if empty:
            self._remove(self._starts.pop())
        elif not self._starts or self._starts[-1] != self.size:
            self._remove(self.size)  # the first of two files may have been made
        self.size += count

    def _remove(self, start: int) -> None:
        for kind in (OUTPUT, TIMES):
            try:
                posix.unlink(f"{self._place}/{kind}{start}")
            except OSError:
                continue
