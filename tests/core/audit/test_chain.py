"""The chain of the audit log: what was changed is found and named."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from aisbx.audit import write
from aisbx.audit.follow import follow_log
from aisbx.audit.places import numbered
from aisbx.audit.read import read_log
from aisbx.audit.verify import verify
from aisbx.audit.write import AuditError, append_once, open_log

from .logs import problems, record, somewhere, written

Lines = list[bytes]


def flip(lines: Lines) -> None:
    lines[2] = lines[2].replace(b'"r3"', b'"r7"')


def flip_the_mac(lines: Lines) -> None:
    lines[2] = lines[2].replace(lines[2][-20:-12], b"00000000")


def remove(lines: Lines) -> None:
    del lines[2:4]


def swap(lines: Lines) -> None:
    lines[2], lines[3] = lines[3], lines[2]


def put_in_again(lines: Lines) -> None:
    lines.insert(3, lines[1])


def put_in_unchained(lines: Lines) -> None:
    lines.insert(3, record(9).encode() + b"\n")


def put_in_rubbish(lines: Lines) -> None:
    lines.insert(3, b"rubbish\n")


def put_in_before_the_first(lines: Lines) -> None:
    lines.insert(0, record(9).encode() + b"\n")


def take_out_of_the_chain(lines: Lines) -> None:
    lines[2] = lines[2][: lines[2].index(b',"seq":')] + b"}\n"


def cut_off(lines: Lines) -> None:
    del lines[4:]


def cut_in_half(lines: Lines) -> None:
    lines[5] = lines[5][:50]


def empty(lines: Lines) -> None:
    lines.clear()


def renumber(lines: Lines) -> None:
    lines[2] = lines[2].replace(b'"seq":3', b'"seq":4')


ATTACKS: list[tuple[Callable[[Lines], None], str]] = [
    (flip, "/audit.jsonl:3: record 3 is not as it was written"),
    (flip_the_mac, "/audit.jsonl:3: record 3 is not as it was written"),
    (renumber, "/audit.jsonl:3: record 3 is missing before record 4"),
    (remove, "/audit.jsonl:3: records 3 to 4 are missing before record 5"),
    (swap, "/audit.jsonl:3: record 3 is missing before record 4"),
    (put_in_again, "/audit.jsonl:4: record 2 stands behind record 3: swapped or put in"),
    (put_in_unchained, "/audit.jsonl:4: is in no chain: put in, or changed"),
    (put_in_before_the_first, "/audit.jsonl:1: is in no chain: put in, or changed"),
    (put_in_rubbish, "/audit.jsonl:4: is in no chain: put in, or changed"),
    (take_out_of_the_chain, "/audit.jsonl:3: is in no chain: put in, or changed"),
    (cut_off, "/audit.jsonl: the last record here is 4, and 6 have been written: cut off"),
    (cut_in_half, "/audit.jsonl: the last record here is 5, and 6 have been written: cut off"),
    (empty, "/audit.jsonl: the last record here is 0, and 6 have been written: cut off"),
]


@pytest.mark.parametrize(("attack", "told"), ATTACKS, ids=[attack.__name__ for attack, _ in ATTACKS])
@pytest.mark.parametrize("goes_on", [False, True], ids=["", "and the log goes on"])
def test_what_was_done_to_the_log_is_found(
    tmp_path: Path, attack: Callable[[Lines], None], told: str, *, goes_on: bool
) -> None:
    where = written(tmp_path)
    assert problems(where) == []
    lines = Path(where["path"]).read_bytes().splitlines(keepends=True)
    attack(lines)
    Path(where["path"]).write_bytes(b"".join(lines))
    if goes_on:
        append_once(where, record(7))
        assert problems(where), "what comes after must not cover it up"
    else:
        assert any(problem.startswith(told) for problem in problems(where)), problems(where)


def test_without_the_key_no_record_can_be_made_and_with_another_none_is_believed(tmp_path: Path) -> None:
    where = written(tmp_path)
    key = Path(where["key"])
    assert key.stat().st_mode & 0o777 == 0o600
    key.write_bytes(os.urandom(64))
    assert problems(where)[0].startswith("/audit.jsonl.head: the head is missing or was not written by aisbx")
    key.unlink()
    assert problems(where)[0].endswith("the key is missing, so nothing tells how far the log went")
    key.write_bytes(b"short")
    key.chmod(0o600)
    with pytest.raises(AuditError, match="it is no key"):
        open_log(where)
    key.write_bytes(os.urandom(64))
    key.chmod(0o644)
    with pytest.raises(AuditError, match="not a file of yours alone"):
        open_log(where)


@pytest.mark.parametrize("gone", ["head", "log and head", "key", "head, and another in its place"])
def test_a_chain_that_had_to_begin_anew_says_so(tmp_path: Path, gone: str) -> None:
    where = written(tmp_path)
    head = Path(where["path"] + write.HEAD)
    if gone == "key":
        Path(where["key"]).unlink()
    elif "another" in gone:
        head.write_bytes(head.read_bytes()[:-9] + b"00000000\n")
    else:
        head.unlink()
    if "log" in gone:
        Path(where["path"]).unlink()
    append_once(where, record(7))
    append_once(where, record(8))
    assert any("the chain begins anew here" in problem for problem in problems(where)), problems(where)


def test_the_chain_goes_on_across_files(tmp_path: Path) -> None:
    where = written(tmp_path, 20, rotate=1500)
    files = [numbered(where["path"], number) for number in range(1, 6)]
    assert [path for path in files if os.path.exists(path)]
    found = verify(where)
    assert (found.records, found.problems, found.notes) == (20, [], [])
    runs = [each.text("run") for each in read_log(where["path"]).records]
    assert runs == [f"r{number}" for number in range(1, 21)]
    assert [each.text("run") for each in read_log(where["path"], tail=9).records] == runs[-9:]
    Path(files[1]).rename(tmp_path / "kept")
    assert problems(where)[0] == "/audit.000002.jsonl: the file is missing"
    (tmp_path / "kept").rename(files[1])
    Path(numbered(where["path"], 77)).write_bytes(b"")
    assert problems(where) == ["/audit.000077.jsonl: is no file of this log"]


def test_the_oldest_files_go_where_that_is_set_and_no_others(tmp_path: Path) -> None:
    where = written(tmp_path, 30, rotate=1500, keep=2)
    names = sorted(path.name for path in (tmp_path / "state").iterdir())
    assert len(names) == 4, names
    assert problems(where) == []
    os.unlink(tmp_path / "state" / names[0])
    assert problems(where)[0] == f"/{names[0]}: the file is missing"


def test_who_follows_misses_nothing_when_a_new_file_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aisbx.audit.follow.INTERVAL", 0)
    where = written(tmp_path, 1, rotate=1500)
    follower = follow_log(where["path"], read_log(where["path"]).end)
    assert next(follower) is None
    for number in range(2, 20):
        append_once(where, record(number, 200))
    assert [each.text("run") for each in iter(follower.__next__, None) if each] == [f"r{n}" for n in range(2, 20)]


def test_a_log_from_before_is_read_on_and_told_apart(tmp_path: Path) -> None:
    where = somewhere(tmp_path)
    Path(where["path"]).write_text(record(1) + "\n" + record(2) + "\n")
    os.chmod(where["path"], 0o600)
    assert (problems(where), len(verify(where).notes)) == ([], 1)
    append_once(where, record(3))
    found = verify(where)
    assert (found.records, found.problems, len(found.notes)) == (1, [], 2)
    assert len(read_log(where["path"]).records) == 3
    lines = Path(where["path"]).read_bytes().splitlines(keepends=True)
    for attack in (lines[1:], lines[2:], [lines[0], *lines]):
        Path(where["path"]).write_bytes(b"".join(attack))
        assert problems(where), attack


def test_a_torn_line_is_told_apart_from_a_changed_one(tmp_path: Path) -> None:
    where = written(tmp_path, 2)
    with open(where["path"], "ab") as file:
        file.write(b'{"v":1,"ti')  # its writer was killed
    assert (problems(where), len(verify(where).notes)) == ([], 1)
    append_once(where, record(3))
    found = verify(where)
    assert (found.records, found.problems) == (3, [])
    assert [str(note) for note in found.notes] == [f"{where['path']}:3: 11 bytes of a record whose writer was killed"]
