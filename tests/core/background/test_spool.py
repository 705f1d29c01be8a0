"""What a command prints is kept: its beginning and its end, with streams and times, on a disk that may be full."""

import errno
import os
import random
import time
from pathlib import Path

import pytest
from aisbx.background.output import Part, Reader, position_of, starts_of
from aisbx.background.spool import Spool


def parts(place: Path, position: int = 0) -> list[Part]:
    return list(Reader(str(place), position).rest())


def text(place: Path, position: int = 0) -> bytes:
    return b"".join(part.data for part in parts(place, position))


def test_streams_come_out_as_they_went_in(tmp_path: Path) -> None:
    spool, chance, wrote = Spool(str(tmp_path), head=1000, tail=700), random.Random(7), b""
    reader, seen = Reader(str(tmp_path)), list[tuple[int, bytes]]()
    expected: list[tuple[int, int]] = []
    while spool.size < 2300:
        data = chance.randbytes(chance.randrange(1, 90))
        stream = chance.choice((1, 2))
        spool.append(stream, data)
        wrote += data
        expected += [(stream, byte) for byte in data]
        seen += [(part.stream, part.data) for part in reader.rest()]
    spool.close()
    assert [(stream, byte) for stream, data in seen for byte in data] == expected
    assert text(tmp_path) == wrote


def test_only_the_beginning_and_the_end_are_kept_and_the_gap_is_told(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path), head=100, tail=50)
    wrote = b"".join(b"%06d\n" % number for number in range(300))
    for start in range(0, len(wrote), 33):
        spool.append(1, wrote[start : start + 33])
    spool.close()
    found = parts(tmp_path)
    missing = sum(part.missing for part in found)
    kept = b"".join(part.data for part in found)
    assert len(kept) + missing == len(wrote)
    assert len(kept) <= 200
    assert kept[:100] == wrote[:100]
    assert wrote.endswith(kept[100:])
    assert len(kept) > 150
    assert len(os.listdir(tmp_path)) == 6


def test_the_last_lines(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path), head=40, tail=40)
    wrote = b"".join(b"line %d\n" % number for number in range(14)) + b"unfinished"
    spool.append(1, wrote)
    assert text(tmp_path, position_of(str(tmp_path), 1)) == b"unfinished"
    assert text(tmp_path, position_of(str(tmp_path), 3)) == b"line 12\nline 13\nunfinished"
    assert text(tmp_path, position_of(str(tmp_path), 0)) == b""
    spool.append(1, b"\n")
    assert text(tmp_path, position_of(str(tmp_path), 1)) == b"unfinished\n"
    assert position_of(str(tmp_path), 1000) == 0


def test_since_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "time", lambda: now)
    spool = Spool(str(tmp_path))
    for _ in range(3):
        spool.append(1, b"at %d\n" % now)
        now += 100
    assert text(tmp_path, position_of(str(tmp_path), since=1050)) == b"at 1100\nat 1200\n"
    assert text(tmp_path, position_of(str(tmp_path), since=1300)) == b""
    assert position_of(str(tmp_path), since=1) == 0


def test_a_full_disk_is_counted_and_writing_goes_on_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(str(tmp_path))
    spool.append(1, b"before\n")
    write, now = os.write, time.monotonic()

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("posix.write", full)
    for _ in range(3):
        spool.append(1, b"lost\n")
    assert (spool.error, spool.lost) == (errno.ENOSPC, 15)
    monkeypatch.setattr("posix.write", write)
    monkeypatch.setattr(time, "monotonic", lambda: now + 60)
    spool.append(2, b"after\n")
    spool.close()
    assert [(part.data, part.missing) for part in parts(tmp_path)] == [(b"before\n", 0), (b"", 15), (b"after\n", 0)]
    assert starts_of(str(tmp_path)) == [0, 22]


def test_what_is_printed_byte_by_byte_on_two_streams_does_not_fill_the_disk_with_times(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path), head=1 << 20, tail=1 << 16)
    from aisbx.background import spool as module

    for number in range(3 * module._MARKS):
        spool.append(1 + number % 2, b"x")
    spool.close()
    assert (tmp_path / "times.0").stat().st_size < 40 * 3 * module._MARKS
    assert len(text(tmp_path)) == 3 * module._MARKS
