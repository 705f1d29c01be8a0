"""Wait for new records of the audit log."""

import os
import time
from collections.abc import Iterator

from aisbx.audit.read import Record, open_log, parse

INTERVAL = 0.2
"""Seconds between looks. Not every system can watch a file, and a person can't tell."""


def follow_log(path: str, start: int) -> Iterator[Record | None]:
    """Give each record that comes after the offset `start`, and None whenever nothing new was there.

    Goes on for ever; what is no record is passed over (reading the log reports it). A log that was moved away
    and begun again is read from its beginning.
    """
    position, identity = start, _identity(path)
    while True:
        present = _identity(path)
        if present is not None and (identity not in (None, present) or os.path.getsize(path) < position):
            position = 0
        identity = present or identity
        data = _read(path, position) if present else b""
        whole, feed, _ = data.rpartition(b"\n")
        position += len(whole) + len(feed)
        for line in whole.split(b"\n") if feed else ():
            record = parse(line)
            if isinstance(record, Record):
                yield record
        yield None
        time.sleep(INTERVAL)


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _read(path: str, position: int) -> bytes:
    try:
        handle = open_log(path)
    except FileNotFoundError:
        return b""
    with handle:
        handle.seek(position)
        return handle.read()
