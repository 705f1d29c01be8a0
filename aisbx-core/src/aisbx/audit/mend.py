"""Go on with the chain where the head does not fit the file: a writer was killed, or somebody was at it.

Nothing that tells of the second is put right: the chain goes on from what the head says, so `verify` finds the gap.
"""

import os

from aisbx.audit.begin import start_anew
from aisbx.audit.chain import Head, link, split
from aisbx.audit.places import numbered
from aisbx.audit.write import Log, write_all


def mend(log: Log, head: Head | None) -> tuple[Head, int]:
    """Give the head to go on from, and how many bytes at the file's end are no record. The lock is the caller's."""
    if head is None:
        return start_anew(log), 0
    size = os.fstat(log.file).st_size
    if size < head[1] and os.path.exists(numbered(log.place["path"], head[2])):
        head = (
            head[0],
            0,
            head[2] + 1,
            *head[3:],
        )  # killed between giving the full file its number and telling the head
    if size < head[1]:
        _end_line(log, size)
        return head, 0
    data = _rest(log, head[1], size)
    head, adopted = _adopt(log, head, data)
    torn = len(data) - adopted
    return head, torn + _end_line(log, size) if torn else 0


def _adopt(log: Log, head: Head, data: bytes) -> tuple[Head, int]:
    """Go past the records whose writers were killed before they could tell the head; give how many bytes they have."""
    position = 0
    while (end := data.find(b"\n", position)) >= 0:
        parts = split(data[position:end])
        if parts is None or parts[1] != head[0] + 1 or link(log.key, head[5], parts[0]) != parts[2]:
            break
        head = (parts[1], head[1] + end + 1 - position, *head[2:5], parts[2])
        position = end + 1
    return head, position


def _rest(log: Log, start: int, size: int) -> bytes:
    os.lseek(log.file, start, os.SEEK_SET)
    parts: list[bytes] = []
    while start < size and (part := os.read(log.file, size - start)):
        parts.append(part)
        start += len(part)
    return b"".join(parts)


def _end_line(log: Log, size: int) -> int:
    """End a torn line, so that the next record has one of its own."""
    if size and _rest(log, size - 1, size) != b"\n":
        write_all(log.file, b"\n")
        return 1
    return 0
