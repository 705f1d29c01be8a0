"""Wait for new records of the audit log."""

import os
import time
from collections.abc import Iterator

from aisbx.audit.places import numbered, numbers
from aisbx.audit.read import Record, open_log, parse

INTERVAL = 0.2
"""Seconds between looks. Not every system can watch a file, and a person can't tell."""


def follow_log(path: str, start: int, interval: float = INTERVAL) -> Iterator[Record | None]:
    """Give each record that comes after the offset `start`, and None whenever nothing new was there.

    Looks every `interval` seconds, for ever; what is no record is passed over (reading the log reports it).
    """
    follower = Follower(path, start)
    while True:
        yield from follower.new()
        yield None
        time.sleep(interval)


class Follower:
    """Knows up to where the log was read.

    When a new file is begun, the rest of the full one comes first; a log that was moved away and begun again is read
    from its beginning.
    """

    def __init__(self, path: str, start: int) -> None:
        """`start` is an offset in the file that has the log's own name now."""
        self._path = path
        self._position = start
        self._identity = _identity(path)

    def new(self) -> Iterator[Record]:
        """Give the records that have come since."""
        path, present, size = self._path, _identity(self._path), _size(self._path)
        if present is not None and (self._identity not in (None, present) or size < self._position):
            for full in _since(path, self._identity):
                records, _ = _read(full, self._position)
                yield from records
                self._position = 0
            self._position = 0
        self._identity = present or self._identity
        if present is not None and size != self._position:  # else there is nothing to open it for
            records, self._position = _read(path, self._position)
            yield from records


def _since(path: str, identity: tuple[int, int] | None) -> list[str]:
    """Give the full files from the one that was read last on; none where it is not among them."""
    found: list[str] = []
    for number in reversed(numbers(path)):
        found.insert(0, numbered(path, number))
        if _identity(found[0]) == identity:
            return found
    return []


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _size(path: str) -> int:
    try:
        return os.lstat(path).st_size
    except FileNotFoundError:
        return 0


def _read(path: str, position: int) -> tuple[list[Record], int]:
    """Give the records from an offset on, and the offset behind them."""
    try:
        handle = open_log(path)
    except FileNotFoundError:
        return [], position
    with handle:
        handle.seek(position)
        whole, feed, _ = handle.read().rpartition(b"\n")
    lines = map(parse, whole.split(b"\n")) if feed else ()
    return [record for record in lines if isinstance(record, Record)], position + len(whole) + len(feed)
