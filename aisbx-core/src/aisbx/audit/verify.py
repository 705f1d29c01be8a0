"""Look through the whole audit log: is each record as it was written and in its place, and is the last one there."""

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import BinaryIO

from aisbx.audit.chain import ANEW, FRESH, HEAD_SIZE, Head, Pads, link, pads, split, unpack
from aisbx.audit.places import numbered, numbers
from aisbx.audit.read import Record, open_log, parse
from aisbx.audit.write import HEAD, AuditError, read_key
from aisbx.errors import StateError
from aisbx.types import AuditPlace

LONGEST = 1 << 26
"""Bytes of a line that is looked at; a record is no longer than a command line may be."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is not as it was written; `line` counts from 1, 0 where the file as a whole is meant."""

    path: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}" if self.line else f"{self.path}: {self.what}"


@dataclass(slots=True)
class Verification:
    """What was found. `notes` are no problems: what a killed writer leaves, and records older than the chain."""

    records: int = 0
    seq: int = 0
    mac: str = ""
    problems: list[Problem] = field(default_factory=list[Problem])
    notes: list[Problem] = field(default_factory=list[Problem])


def verify(place: AuditPlace, known: dict[int, str] | None = None) -> Verification:
    """Look through all files; StateError where one is not ours or cannot be read.

    `known` are heads that were exported, MACs by the number of their record: they have to be in the log.
    """
    path = place["path"]
    try:
        key = read_key(place["key"])
        present, head = _open(path, pads(key)) if key else (None, None)
    except (AuditError, OSError) as error:
        raise StateError(str(error), hint="only a log that is yours alone can be verified") from error
    walk = _Walk(pads(key) if key else None, known or {})
    if head is None:
        if not key and not os.path.lexists(path + HEAD):
            if os.path.lexists(path) or numbers(path):
                walk.told.notes.append(Problem(path, 0, "no chain has been begun; the next record begins it"))
            walk.missing_known(0)
            return walk.told
        what = "the key is missing" if not key else "the head is missing or was not written by aisbx"
        where = path + HEAD if key else place["key"]
        walk.told.problems.append(Problem(where, 0, f"{what}, so nothing tells how far the log went"))
        files, first = numbers(path), True
    else:
        files, first = list(range(head[3], head[2])), head[3] == 1
        walk.previous = head[4]
        for extra in sorted(set(numbers(path)) - set(files)):
            walk.told.problems.append(Problem(numbered(path, extra), 0, "is no file of this log"))
    walk.older = first
    for number in files:
        name = numbered(path, number)
        try:
            with open_log(name) as handle:
                walk.file(name, handle, os.fstat(handle.fileno()).st_size)
        except FileNotFoundError:
            walk.told.problems.append(Problem(name, 0, "the file is missing"))
            walk.previous = ""
    if present is None:
        present = _open_present(path)
    if present is not None:
        with present[0] as handle:
            walk.file(path, handle, present[1])
    walk.end(path, head)
    return walk.told


def exported_heads(place: AuditPlace) -> dict[int, str]:
    """Read the heads that the settings have exported to a file; none where they go nowhere, or to syslog."""
    return exported(place["export"], place["path"]) if os.path.isabs(place["export"]) else {}


def exported(file: str, log: str) -> dict[int, str]:
    """Read the heads of a log that were exported to a file; StateError where it cannot be read."""
    found: dict[int, str] = {}
    try:
        with open(file, "rb") as handle:
            for line in handle:
                record = parse(line)
                seq = record.data.get("seq") if isinstance(record, Record) else None
                if isinstance(record, Record) and isinstance(seq, int) and record.text("log") == log:
                    found[seq] = record.text("mac")
    except OSError as error:
        raise StateError(f"{file} cannot be read: {error.strerror}", hint="see audit.export in the settings") from error
    return found


class _Walk:
    """Record by record, in order; what does not follow is named once and then followed from there."""

    def __init__(self, key: Pads | None, known: dict[int, str]) -> None:
        self.key = key
        self.known = known
        self.told = Verification()
        self.previous = ""
        self.older = True  # no chained record has been seen
        self.loose: list[tuple[int, int, bool]] = []  # (line, bytes, is a record) without a place in the chain

    def file(self, path: str, handle: BinaryIO, size: int) -> None:
        """Go through one file, as far as it went when the log was opened."""
        number, left = 0, size
        while left > 0 and (line := handle.readline(min(left, LONGEST))):
            number += 1
            left -= len(line)
            parts = split(line[:-1]) if line.endswith(b"\n") else None
            if parts is None:
                self.loose.append((number, len(line), isinstance(parse(line), Record)))
            else:
                self._record(path, number, *parts)
        self._loose(path, 0, last=True)

    def end(self, path: str, head: Head | None) -> None:
        """Compare what was found last with what the head says."""
        told = self.told
        if head is not None and told.seq < head[0]:
            what = f"the last record here is {told.seq}, and {head[0]} have been written: cut off"
            told.problems.append(Problem(path, 0, what))
        elif head is not None and head[0] and told.seq == head[0] and told.mac != head[5]:
            told.problems.append(Problem(path, 0, f"the last record is not the one that was written as {head[0]}"))
        self.missing_known(told.seq)

    def missing_known(self, last: int) -> None:
        """Name exported heads beyond the end."""
        if beyond := [seq for seq in self.known if seq > last]:
            what = f"{max(beyond)} records were written as an exported head says, {last} are here: cut off"
            self.told.problems.append(Problem("exported head", 0, what))

    def _record(self, path: str, line: int, body: bytes, seq: int, mac: str) -> None:
        told = self.told
        follows = (
            self.key is None or link(self.key, self.previous or FRESH, body) == mac
        )  # without it: said once for all
        anew = self.key is not None and seq == 1 and link(self.key, ANEW, body) == mac
        if anew:
            what = "the chain begins anew here: its head or key had gone, and with it what says how far the log went"
            told.problems.append(Problem(path, line, what))
        elif not follows:
            told.problems.append(Problem(path, line, self._why(seq)))
        if seq in self.known and self.known[seq] != mac:
            told.problems.append(Problem(path, line, f"record {seq} is not the one whose head was exported"))
        torn = _torn(body) if follows or anew else 0
        if self.key is not None and follows and torn and torn != sum(size for _, size, _ in self.loose):
            told.problems.append(
                Problem(path, line, f"before it stood {torn} bytes without a place, and now others do")
            )
        self._loose(path, torn)
        told.records += 1
        told.seq, told.mac, self.previous, self.older = seq, mac, mac, False

    def _why(self, seq: int) -> str:
        expected = self.told.seq + 1
        if seq == expected:
            return f"record {seq} is not as it was written, or the one before is not"
        if seq > expected:
            gone = f"record {expected} is" if seq == expected + 1 else f"records {expected} to {seq - 1} are"
            return f"{gone} missing before record {seq}"
        return f"record {seq} stands behind record {self.told.seq}: swapped or put in"

    def _loose(self, path: str, torn: int, *, last: bool = False) -> None:
        """Judge lines that have no place in the chain; `torn` bytes were there when the next record was written."""
        explained = torn == sum(size for _, size, _ in self.loose)
        for line, size, record in self.loose:
            if self.older and record and (explained or last or self.key is None):
                self.told.notes.append(Problem(path, line, "is older than the chain, which says nothing of it"))
            elif not record and (explained or (last and line == self.loose[-1][0])):
                self.told.notes.append(Problem(path, line, f"{size} bytes of a record whose writer was killed"))
            else:
                self.told.problems.append(Problem(path, line, "is in no chain: put in, or changed"))
        self.loose.clear()


def _torn(body: bytes) -> int:
    """Read how many bytes a record says stand before it that are none."""
    before, _, _ = body.rpartition(b',"seq":')
    _, found, number = before.rpartition(b',"torn":')
    return int(number) if found and number.isdigit() else 0


def _open(path: str, key: Pads) -> "tuple[tuple[BinaryIO, int] | None, Head | None]":
    """Open the present file and read the head while nobody writes."""
    try:
        handle = open_log(path + HEAD)
    except FileNotFoundError:
        return None, None
    with handle, _quiet(handle):
        return _open_present(path), unpack(key, handle.read(HEAD_SIZE + 1))


def _open_present(path: str) -> "tuple[BinaryIO, int] | None":
    try:
        handle = open_log(path)
    except FileNotFoundError:
        return None
    return handle, os.fstat(handle.fileno()).st_size


@contextmanager
def _quiet(handle: BinaryIO) -> Generator[None]:
    """Hold the lock of writers; where there is none for a reader (Windows), the head is one write's all the same."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    fcntl.flock(handle, fcntl.LOCK_SH)
    yield  # closing it lets go
