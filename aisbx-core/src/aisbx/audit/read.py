"""Read the audit log: from its end for the newest, in order for all; damage is reported, never skipped in silence."""

import json
import os
import stat
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, cast

from aisbx.audit.places import numbered, numbers
from aisbx.errors import StateError

CHUNK = 1 << 16
"""Bytes that are read at once when walking backwards."""

# Not every system has all of them.
_FLAGS = sum({getattr(os, name, 0) for name in ("O_RDONLY", "O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK", "O_BINARY")})


@dataclass(frozen=True, slots=True)
class Record:
    """One line of the log; the keys of `data` are in docs/cli.md."""

    data: Mapping[str, object]

    @property
    def time(self) -> float:
        """Seconds since the epoch, 0 where the record has none."""
        value = self.data.get("time")
        return float(value) if isinstance(value, (int, float)) else 0.0

    def text(self, key: str) -> str:
        """Give a value that should be a string, empty where it is not."""
        value = self.data.get(key)
        return value if isinstance(value, str) else ""

    def table(self, key: str) -> Mapping[str, object]:
        """Give a value that should be an object, empty where it is not."""
        value = self.data.get(key)
        return cast("Mapping[str, object]", value) if isinstance(value, dict) else {}

    def words(self, key: str) -> tuple[str, ...]:
        """Give a value that should be a list of strings, empty where it is not."""
        value = self.data.get(key)
        return tuple(str(word) for word in cast("list[object]", value)) if isinstance(value, list) else ()


@dataclass(frozen=True, slots=True)
class Damage:
    """A line that is not a record; `line` counts from 1, in the file `path`."""

    line: int
    reason: str
    path: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found, oldest first; `end` is the offset behind the last complete line, where `follow_log` goes on.

    It is an offset in the present file, the one with the log's own name.
    """

    records: tuple[Record, ...] = ()
    damaged: tuple[Damage, ...] = ()
    end: int = 0


def read_log(path: str, *, tail: int | None = None, since: float = 0.0) -> Reading:
    """Read the newest `tail` records (None: all) of all files, not older than `since` (seconds since the epoch).

    A missing log is empty. The last line may be torn: its writer is still at it, or was killed; it is left out.
    Raises StateError where the file is not ours or cannot be read.
    """
    records: tuple[Record, ...] = ()
    damaged: tuple[Damage, ...] = ()
    end = 0
    for file in (path, *(numbered(path, number) for number in reversed(numbers(path)))):
        reading = _read_file(file, None if tail is None else tail - len(records), since)
        records, damaged = reading.records + records, reading.damaged + damaged
        end = reading.end if file == path else end
        if tail is not None and len(records) >= tail:
            break
    return Reading(records, damaged, end)


def _read_file(path: str, tail: int | None, since: float) -> Reading:
    records: deque[Record] = deque()
    damaged: deque[tuple[int, str]] = deque()
    try:
        handle = open_log(path)
    except FileNotFoundError:
        return Reading()
    end = 0
    with handle:
        for offset, line in _backwards(handle, os.fstat(handle.fileno()).st_size):
            end = end or offset + len(line) + 1
            if tail is not None and len(records) >= tail:
                break
            record = parse(line)
            if isinstance(record, str):
                damaged.appendleft((offset, record))
            elif record.time >= since:
                records.appendleft(record)
        return Reading(tuple(records), tuple(_numbered(handle, damaged, path)), end)


def open_log(path: str) -> BinaryIO:
    """Open the log; FileNotFoundError where there is none, StateError where it is not a plain file of ours."""
    try:
        # NONBLOCK: a fifo that somebody put here must not hold us up before we look at what it is.
        descriptor = os.open(path, _FLAGS)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StateError(f"{path} cannot be read: {error.strerror}", hint="it must be a plain file of yours") from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or (hasattr(os, "geteuid") and status.st_uid != os.geteuid()):
        os.close(descriptor)
        raise StateError(f"{path} is not a plain file of yours", hint="move it away; a new one is made by the next run")
    return os.fdopen(descriptor, "rb")


def parse(line: bytes) -> Record | str:
    """Give the record of one line, or what is wrong with it."""
    try:
        data: object = json.loads(line)
    except (ValueError, RecursionError):
        return "not JSON"
    if not isinstance(data, dict):
        return "not an object"
    data = cast("dict[str, object]", data)
    return Record(data) if isinstance(data.get("time"), (int, float)) else "no time"


def _backwards(handle: BinaryIO, size: int) -> Iterator[tuple[int, bytes]]:
    """Give (offset, line) from the last complete line to the first; memory is one line and one chunk."""
    position = size
    rest: list[bytes] = []  # the pieces, newest first, of a line whose beginning has not been read
    complete = False
    while position > 0:
        step = min(CHUNK, position)
        position -= step
        handle.seek(position)
        chunk = handle.read(step)
        end = len(chunk)
        while (feed := chunk.rfind(b"\n", 0, end)) >= 0:
            line = chunk[feed + 1 : end] + b"".join(reversed(rest))
            if complete and line:
                yield position + feed + 1, line
            complete = True  # what follows the last line feed is torn, all before it is whole
            rest, end = [], feed
        rest.append(chunk[:end])
    line = b"".join(reversed(rest))
    if complete and line:
        yield 0, line


def _numbered(handle: BinaryIO, damaged: deque[tuple[int, str]], path: str) -> Iterator[Damage]:
    """Count lines only where something is to be reported."""
    position, line = 0, 1
    for offset, reason in damaged:
        handle.seek(position)
        while position < offset:
            chunk = handle.read(min(CHUNK, offset - position))
            if not chunk:
                break
            line += chunk.count(b"\n")
            position += len(chunk)
        yield Damage(line, reason, path)
