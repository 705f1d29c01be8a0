"""A disk that is full or read-only: no run without a record, no half of a file, no traceback."""

import json
import os
import shlex
from pathlib import Path

import pytest
from aisbx.audit.places import place as audit_place
from aisbx.audit.reserve import SIZE, reserve
from aisbx.audit.verify import verify
from aisbx.audit.write import RESERVE, append, open_log

from .conftest import FAST, PYTHON, Place


def line_of(place: Place, *world: str) -> str:
    done = place.run(*world)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (125, "", 1), done.stderr
    assert not place.ran()
    return done.stderr


@pytest.mark.parametrize("which", ["state", "cache"])
def test_a_full_disk_is_refused_and_the_doctor_agrees(place: Place, which: str) -> None:
    path = {"state": place.state, "cache": place.cache}[which]
    path.mkdir(parents=True, mode=0o700)
    assert "No space left on device; hint: " in line_of(place, "full", str(path))
    ready, rows = place.doctor("full", str(path))
    assert not ready
    assert [row["name"] for row in rows] == [f"{which} directory"]
    assert "no space is left" in rows[0]["detail"]


def test_a_plan_does_not_hide_that_there_is_no_room_for_records(place: Place) -> None:
    place.warm()
    (place.state / RESERVE).write_bytes(b"")
    assert "no room for the record of a run" in line_of(place, "full", str(place.state))


@pytest.mark.parametrize("which", ["state", "cache"])
def test_a_read_only_home_is_refused_and_the_doctor_agrees(place: Place, which: str) -> None:
    path = {"state": place.state, "cache": place.cache}[which].parent
    path.mkdir(parents=True, mode=0o700)
    assert "Read-only file system; hint: " in line_of(place, "read-only", str(path))
    ready, rows = place.doctor("read-only", str(path))
    assert not ready
    assert [row["name"] for row in rows] == [f"{which} directory"]
    assert "not writable" in rows[0]["detail"]


def test_a_plan_does_not_hide_that_no_record_can_be_written(place: Place) -> None:
    place.warm()
    assert "Read-only file system; hint: " in line_of(place, "read-only", str(place.state))


def test_a_disk_that_fills_during_a_run_cannot_keep_its_record_away(place: Place) -> None:
    place.warm()
    command = shlex.join([*PYTHON, "-S", FAST, "run", "--", "touch", "ran"])
    script = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
import os, worlds
worlds.full({str(place.state)!r})
os.chdir({str(place.project)!r})
os.system({command!r})
print(open({str(place.state / "audit.jsonl")!r}).read())
"""
    done = place.enter(("as-it-is",), [*PYTHON, "-c", script])
    records = [json.loads(line) for line in done.stdout.splitlines() if line]
    assert place.ran(), done.stderr
    assert [record["kind"] for record in records] == ["run.end", "run.end"]


def test_the_reserve_is_given_to_a_record_and_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = reserve(str(tmp_path / RESERVE))
    assert os.stat(kept).st_blocks * 512 >= SIZE
    log = open_log(audit_place(tmp_path, tmp_path / "config", 1 << 20, 0, ""))
    genuine = os.write

    def full(descriptor: int, data: bytes) -> int:
        if os.stat(kept).st_size:
            if len(data) > 3:
                return genuine(descriptor, data[:3])
            raise OSError(28, "No space left on device")
        return genuine(descriptor, data)

    monkeypatch.setattr("aisbx.audit.write.posix.write", full)
    append(log, '{"a":1}', kept)
    assert verify(log.place).records == 1
    assert not verify(log.place).problems
    assert os.stat(kept).st_size == 0
    assert os.stat(reserve(kept)).st_size == SIZE


def test_of_a_record_that_cannot_be_written_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = open_log(audit_place(tmp_path, tmp_path / "config", 1 << 20, 0, ""))
    append(log, '{"a":1}')
    before = Path(log.place["path"]).read_text()
    genuine = os.write

    def full(descriptor: int, data: bytes) -> int:
        if len(data) > 5:
            return genuine(descriptor, data[:5])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("aisbx.audit.write.posix.write", full)
    with pytest.raises(OSError, match="No space left"):
        append(log, '{"a":2}', str(tmp_path / RESERVE))
    assert Path(log.place["path"]).read_text() == before
    monkeypatch.undo()
    append(log, '{"a":3}')
    assert not verify(log.place).problems
