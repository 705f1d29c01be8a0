"""Read what `spool.py` writes, also while it grows."""

import os
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from aisbx.background.spool import OUTPUT, TIMES

CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Part:
    """Some bytes that were printed on a stream (1, 2), or, without data, how many bytes are missing there."""

    stream: int
    data: bytes
    missing: int = 0


class Reader:
    """What a command printed, from a position on; each read goes on where the last one stopped."""

    def __init__(self, place: str, position: int = 0) -> None:
        """Open nothing yet; `place` is the command's directory, `position` an offset in bytes."""
        self._place = place
        self.position = position
        self._start = -1
        self._marks: list[tuple[int, int]] = []
        self._read_of_marks = 0

    def read(self, most: int = CHUNK) -> Part | None:
        """Give what comes next, None where there is nothing more at present."""
        starts = starts_of(self._place)
        index = bisect_right(starts, self.position) - 1
        if index >= 0:
            data = self._bytes(starts[index], most)
            if data:
                return data
        if index + 1 < len(starts):
            missing = starts[index + 1] - self.position
            self.position = starts[index + 1]
            return Part(1, b"", missing) if missing else self.read(most)
        return None

    def rest(self) -> Iterator[Part]:
        """Give all that is there at present."""
        while (part := self.read()) is not None:
            yield part

    def _bytes(self, start: int, most: int) -> Part | None:
        try:
            with open(f"{self._place}/{OUTPUT}{start}", "rb", buffering=0) as file:
                # Some file systems let nobody seek as far as a position may say.
                data = os.pread(file.fileno(), most, self.position - start)
        except FileNotFoundError:
            return None  # removed meanwhile: there is a later one
        if not data:
            return None
        stream, end = self._stream(start)
        data = data[: end - self.position] if end else data
        self.position += len(data)
        return Part(stream, data)

    def _stream(self, start: int) -> tuple[int, int]:
        """Give on which stream the next byte was printed, and where that changes; 0 for not yet."""
        if start != self._start:
            self._start, self._marks, self._read_of_marks = start, [], 0
        with open(f"{self._place}/{TIMES}{start}", "rb", buffering=0) as file:
            file.seek(self._read_of_marks)
            lines = file.read().rpartition(b"\n")
        self._read_of_marks += len(lines[0]) + len(lines[1])
        for line in lines[0].splitlines():
            offset, stream, _ = line.split()
            if not self._marks or self._marks[-1][1] != int(stream):
                self._marks.append((int(offset), int(stream)))
        index = bisect_right(self._marks, (self.position, 3)) - 1
        following = self._marks[index + 1][0] if index + 1 < len(self._marks) else 0
        return (self._marks[index][1] if index >= 0 else 1), following


def starts_of(place: str) -> list[int]:
    """Give where each file of output begins, in order."""
    names = (name.removeprefix(OUTPUT) for name in os.listdir(place) if name.startswith(OUTPUT))
    return sorted(int(name) for name in names if name.isdigit())


def position_of(place: str, tail: int | None = None, since: float = 0.0) -> int:
    """Give where the last `tail` lines begin, or what was printed `since` a time: whichever is later."""
    positions = [0 if tail is None else _of_tail(place, tail), _of_time(place, since) if since else 0]
    return max(positions)


def _of_tail(place: str, tail: int) -> int:
    wanted = tail
    end = True
    for start in reversed(starts_of(place)):
        with open(f"{place}/{OUTPUT}{start}", "rb") as file:
            position = file.seek(0, 2)
            if end:
                if not tail:
                    return start + position
                if position:
                    file.seek(position - 1)
                    wanted += file.read(1) == b"\n"  # it ends the last line and begins none
                    end = False
            while position > 0:
                length = min(CHUNK, position)
                position -= length
                file.seek(position)
                chunk = file.read(length)
                place_of = len(chunk)
                while (place_of := chunk.rfind(b"\n", 0, place_of)) >= 0:
                    wanted -= 1
                    if not wanted:
                        return start + position + place_of + 1
    return 0


def _of_time(place: str, since: float) -> int:
    """Give the first byte that is known to be printed at `since` or later, to a second."""
    position = 0
    for start in starts_of(place):
        with open(f"{place}/{TIMES}{start}", "rb") as file:
            for line in file:
                offset, _, at = line.split()
                if float(at) >= since:
                    return int(offset)
        with open(f"{place}/{OUTPUT}{start}", "rb") as file:
            position = start + file.seek(0, 2)
    return position
