"""The audit record in C: bytes as Python's, one chain for both, and nothing written but in the ordinary course."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
from aisbx.audit.chain import HEAD_SIZE
from aisbx.audit.jsontext import dumps
from aisbx.audit.verify import verify
from aisbx.audit.write import LONG, append_once, ending, start

from .conftest import Ask

if TYPE_CHECKING:
    from aisbx.types import AuditPlace, LaunchResult

PART = '"profile":"base","note":"%s%n"'
RESULT = cast(
    "LaunchResult",
    {
        "code": 3,
        "signal": 15,
        "timed_out": False,
        "oom_killed": False,
        "pids_limited": False,
        "duration": 1.5,
        "user_seconds": 1.2e-05,
        "system_seconds": 0.99,
        "max_rss_bytes": 4096,
        "stdout_bytes": 7,
        "stderr_bytes": 8,
        "stdout_dropped": 0,
        "stderr_dropped": 0,
        "findings": [],
        "failure": None,
    },
)
"""What `pieces record` tells."""


class Trail:
    """A log with its first record, which is always Python's."""

    def __init__(self, place: Path, ask: Ask) -> None:
        self.ask = ask
        self.path = place / "audit.jsonl"
        self.place: AuditPlace = {
            "path": str(self.path),
            "key": str(place / "key"),
            "limit": 1 << 20,
            "keep": 0,
            "export": "",
        }
        append_once(self.place, '{"v":1}')

    def record(self, *argv: str, times: int = 1) -> list[str]:
        words = (self.path, self.place["key"], self.place["limit"], PART, times, *(argv or ("true",)))
        return self.ask("record", *words).splitlines()


@pytest.fixture
def trail(tmp_path: Path, ask: Ask) -> Trail:
    return Trail(tmp_path, ask)


WORDS = [
    "sh",
    'a"b\\c',
    "\b\f\n\r\t\x01\x7f",
    "ü€𝄞",
    "\udcff\udced\udca0\udc80",
    "\udcc0\udc80\udcf5",
    "\udce2\udc82A",
    "",
]


def test_a_record_has_the_bytes_that_python_writes(trail: Trail, monkeypatch: pytest.MonkeyPatch) -> None:
    assert trail.record(*WORDS) == ["written"]
    monkeypatch.setattr("time.time", lambda: 1764474946.12345)
    beginning = start("run.end", "0123456789ab", f"uid:{os.geteuid()}", "cli", WORDS)
    line = f"{beginning},{PART},{ending(RESULT)}"
    append_once(trail.place, line)
    ours, pythons = trail.path.read_bytes().splitlines()[1:]
    told = ours.rpartition(b',"seq":')[0]
    assert told == pythons.rpartition(b',"seq":')[0]
    assert json.loads(ours)["argv"] == WORDS


def test_seconds_are_told_as_python_tells_them(ask: Ask) -> None:
    told = [0, 1, 9, 10, 12, 90, 99, 100, 101, 999_999, 1_000_000, 1_500_000, 1_764_474_946_123_450, 123_456_000_000]
    assert ask("seconds", *told).split() == [repr(round(number / 1e6, 6)) for number in told]


def test_twenty_writers_of_both_kinds_make_one_chain(trail: Trail, pieces: str) -> None:
    code = (
        "import sys\nfrom aisbx.audit.write import append_once\n"
        f'for _ in range(5): append_once({trail.place!r}, \'{{"v":1,"by":"python"}}\')'
    )
    native = [pieces, "record", str(trail.path), trail.place["key"], str(trail.place["limit"]), PART, "20", "true"]
    python = [sys.executable, "-c", code]
    environ = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}
    started = [
        subprocess.Popen(native if number % 5 else python, env=environ, stdout=subprocess.PIPE, text=True)
        for number in range(20)
    ]
    said = "".join(process.communicate(timeout=60)[0] for process in started)
    assert said.split() == ["written"] * (16 * 20)
    verdict = verify(trail.place)
    assert (verdict.problems, verdict.records) == ([], 1 + 16 * 20 + 4 * 5)


def same(trail: Trail) -> str:
    """What the log and its head hold."""
    return hashlib.sha256(trail.path.read_bytes() + Path(f"{trail.path}.head").read_bytes()).hexdigest()


def test_where_the_file_would_be_full_it_is_left_to_python(trail: Trail) -> None:
    trail.place["limit"] = trail.path.stat().st_size + 100
    before = same(trail)
    assert trail.record() == ["not written"]
    assert same(trail) == before


@pytest.mark.parametrize("damage", ["grown", "cut", "head", "key"])
def test_a_log_that_is_to_be_mended_is_left_to_python(trail: Trail, damage: str) -> None:
    head, key = Path(f"{trail.path}.head"), Path(trail.place["key"])
    if damage == "grown":
        trail.path.write_bytes(trail.path.read_bytes() + b"torn")
    elif damage == "cut":
        trail.path.write_bytes(trail.path.read_bytes()[:-1])
    elif damage == "head":
        text = bytearray(head.read_bytes())
        text[19] ^= 1  # one record more or less
        head.write_bytes(text)
    else:
        key.write_bytes(bytes(64))
    before = same(trail)
    assert trail.record() == ["not written"]
    assert same(trail) == before


def test_what_is_missing_another_size_or_open_to_others_is_left_to_python(trail: Trail) -> None:
    head, key = Path(f"{trail.path}.head"), Path(trail.place["key"])
    for file in (trail.path, head, key):
        for mode in (0o640, 0o604, 0o660):
            file.chmod(mode)
            assert trail.record() == ["closed"]
        file.chmod(0o600)
        aside = file.with_name("aside")
        file.rename(aside)
        assert trail.record() == ["closed"]
        assert not file.exists(), "it makes nothing"
        file.symlink_to(aside)
        assert trail.record() == ["closed"]
        file.unlink()
        aside.rename(file)
        assert trail.record() == ["written"]
    key.write_bytes(key.read_bytes() + b"x")
    assert trail.record() == ["closed"]
    head.write_bytes(b" " * (HEAD_SIZE - 1))
    assert trail.record() == ["closed"]
    assert trail.record("x" * LONG) == ["closed"]


def test_where_another_file_has_its_name_by_now_it_is_left_to_python(trail: Trail, pieces: str) -> None:
    words = [pieces, "record", str(trail.path), trail.place["key"], str(trail.place["limit"]), PART, "wait", "true"]
    with subprocess.Popen(
        words, env={"ASAN_OPTIONS": "detect_leaks=0"}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "open\n"
        full = trail.path.with_name("full")
        trail.path.rename(full)
        trail.path.write_bytes(full.read_bytes())
        trail.path.chmod(0o600)
        before = same(trail)
        assert process.communicate("\n", timeout=60)[0] == "not written\n"
    assert same(trail) == before
    assert full.read_bytes() == trail.path.read_bytes()


def test_a_long_command_line_is_left_to_python(trail: Trail) -> None:
    fitting = "x" * (LONG - len(dumps([""])))
    assert trail.record(fitting) == ["written"]
    assert trail.record(fitting + "x") == ["long"]


def test_a_full_disk_leaves_nothing_of_a_record(trail: Trail, pieces: str) -> None:
    before, size = same(trail), trail.path.stat().st_size
    bounded = f"ulimit -f {size // 512 + 1}; trap '' XFSZ; exec \"$@\""
    words = [pieces, "record", str(trail.path), trail.place["key"], str(trail.place["limit"]), PART, "1", "x" * 2000]
    done = subprocess.run(
        ["/bin/dash", "-c", bounded, "sh", *words],
        env={"ASAN_OPTIONS": "detect_leaks=0"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("not written\n", "")
    assert same(trail) == before
