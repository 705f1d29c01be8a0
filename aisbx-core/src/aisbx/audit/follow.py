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

    Looks every `interval` seconds, for ever; what is no record is passed over (reading the log reports it). When a new
    file is begun, the rest of the full one comes first; a log that was moved away and begun again is read from its
    beginning.
    """
    position, identity = start, _identity(path)
    while True:
        present, size = _identity(path), _size(path)
        if present is not None and (identity not in (None, present) or size < position):
            for full in _since(path, identity):
                records, _ = _read(full, position)
                yield from records
                position = 0
            position = 0
        identity = present or identity
        if present is not None and size != position:  # else there is nothing to open it for
            records, position = _read(path, position)
            yield from records
        yield None
        time.sleep(interval)


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
