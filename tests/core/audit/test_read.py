"""Reading the audit log: newest first where that is enough, damage named, nothing foreign opened."""

import json
import os
from collections.abc import Iterable
from pathlib import Path

import pytest
from aisbx.audit import read
from aisbx.audit.follow import follow_log
from aisbx.audit.read import Damage, read_log
from aisbx.errors import StateError
from hypothesis import given
from hypothesis import strategies as st


def line(number: int) -> bytes:
    return json.dumps({"v": 1, "time": float(number), "kind": "run.end", "run": f"r{number}"}).encode() + b"\n"


def write(path: Path, lines: Iterable[bytes]) -> str:
    path.write_bytes(b"".join(lines))
    return str(path)


def runs(reading: read.Reading) -> list[str]:
    return [record.text("run") for record in reading.records]


def test_records_come_oldest_first(tmp_path: Path) -> None:
    path = write(tmp_path / "log", map(line, range(1, 5)))
    assert runs(read_log(path)) == ["r1", "r2", "r3", "r4"]
    assert runs(read_log(path, tail=2)) == ["r3", "r4"]
    assert runs(read_log(path, since=3)) == ["r3", "r4"]
    assert runs(read_log(path, tail=0)) == []
    assert runs(read_log(path, tail=99)) == ["r1", "r2", "r3", "r4"]


def test_a_missing_log_is_empty(tmp_path: Path) -> None:
    assert read_log(str(tmp_path / "none")) == read.Reading()


def test_a_torn_last_line_is_left_out_without_complaint(tmp_path: Path) -> None:
    reading = read_log(write(tmp_path / "log", [line(1), line(2)[:-9]]))
    assert runs(reading) == ["r1"]
    assert reading.damaged == ()
    assert reading.end == len(line(1))


@pytest.mark.parametrize(
    ("bad", "reason"),
    [(b"not json\n", "not JSON"), (b"[1]\n", "not an object"), (b"{}\n", "no time"), (b"\xff\n", "not JSON")],
)
def test_a_damaged_line_is_reported_with_its_number(tmp_path: Path, bad: bytes, reason: str) -> None:
    reading = read_log(write(tmp_path / "log", [line(1), line(2), bad, line(4), line(2)[:9] + b"\n", line(6)]))
    assert runs(reading) == ["r1", "r2", "r4", "r6"]
    assert reading.damaged == (Damage(3, reason), Damage(5, "not JSON"))


def test_a_line_nested_beyond_reason_is_damage_not_a_crash(tmp_path: Path) -> None:
    reading = read_log(write(tmp_path / "log", [b"[" * 100_000 + b"\n", line(2)]))
    assert runs(reading) == ["r2"]
    assert [damage.line for damage in reading.damaged] == [1]


def test_the_tail_of_a_large_log_is_read_from_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "log", map(line, range(50_000)))
    seen = 0
    parse = read.parse

    def counting(data: bytes) -> read.Record | str:
        nonlocal seen
        seen += 1
        return parse(data)

    monkeypatch.setattr(read, "parse", counting)
    assert runs(read_log(path, tail=3)) == ["r49997", "r49998", "r49999"]
    assert seen == 3


@given(
    st.lists(st.sampled_from([b"", b"a", b"bb", b"c" * 30]), max_size=9),
    st.sampled_from([b"", b"torn"]),
    st.sampled_from([1, 2, 3, 7, 64]),
)
def test_walking_backwards_gives_the_lines_of_walking_forwards(pieces: list[bytes], torn: bytes, chunk: int) -> None:
    import io

    data = b"".join(piece + b"\n" for piece in pieces) + torn
    expected: list[tuple[int, bytes]] = []
    offset = 0
    for piece in pieces:
        if piece:
            expected.append((offset, piece))
        offset += len(piece) + 1
    before, read.CHUNK = read.CHUNK, chunk
    try:
        assert list(read._backwards(io.BytesIO(data), len(data)))[::-1] == expected
    finally:
        read.CHUNK = before


def test_a_log_that_is_a_link_is_not_read(tmp_path: Path) -> None:
    write(tmp_path / "real", [line(1)])
    (tmp_path / "log").symlink_to("real")
    with pytest.raises(StateError, match="log"):
        read_log(str(tmp_path / "log"))


def test_a_log_that_is_a_fifo_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "log")
    with pytest.raises(StateError, match="plain file"):
        read_log(str(tmp_path / "log"))


def test_a_log_of_somebody_else_is_not_read(tmp_path: Path) -> None:
    path = "/etc/passwd"
    if os.geteuid() == 0:
        path = write(tmp_path / "log", [line(1)])
        os.chown(path, 65534, 65534)
    with pytest.raises(StateError, match="plain file of yours"):
        read_log(path)


def test_following_gives_what_is_appended_and_starts_over_with_a_new_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aisbx.audit.follow.INTERVAL", 0)
    path = tmp_path / "log"
    write(path, [line(1)])
    follower = follow_log(str(path), read_log(str(path)).end)
    assert next(follower) is None
    with path.open("ab") as file:
        file.write(line(2) + line(3)[:5])
    assert [record.text("run") if record else "" for record in (next(follower), next(follower))] == ["r2", ""]
    with path.open("ab") as file:
        file.write(line(3)[5:])
    assert [record.text("run") if record else "" for record in (next(follower), next(follower))] == ["r3", ""]
    path.rename(tmp_path / "old")
    assert next(follower) is None
    write(path, [line(4)])
    assert [record.text("run") if record else "" for record in (next(follower), next(follower))] == ["r4", ""]
