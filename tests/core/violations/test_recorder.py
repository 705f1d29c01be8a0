"""What is written of violations, and how much: no sandbox fills the disk with them, and none is lost uncounted."""

import json
from pathlib import Path
from typing import Any

import pytest
from aisbx.types import AuditPlace
from aisbx.violations import recorder as module
from aisbx.violations.recorder import MOST, Recorder
from aisbx.violations.rules import SEVERITIES, Patterns, meaning, patterns, rule_of, rules


def told(call: str = "mount", errno: str = "EPERM", **more: object) -> dict[str, object]:
    return {"source": "syscall", "what": call, "errno": errno, "arguments": {}, **more}


@pytest.fixture
def place(tmp_path: Path) -> AuditPlace:
    tmp_path.chmod(0o700)
    return {"path": f"{tmp_path}/audit.jsonl", "key": f"{tmp_path}/key", "limit": 1 << 24, "keep": 0, "export": ""}


def written(place: AuditPlace) -> list[dict[str, Any]]:
    path = Path(place["path"])
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_the_same_again_is_one_record_and_a_count(place: AuditPlace) -> None:
    recorder = Recorder(place, "", "work", "uid:1")
    for _ in range(7):
        assert recorder.take(told(pid=9, pid_inside=2, program="/bin/x")) == ""
    assert recorder.tick()
    recorder.close()
    assert not recorder.tick()
    first, rest = written(place)
    assert (first["kind"], first["rule"], first["severity"], first["times"]) == ("violation", "mount", "high", 1)
    assert (first["pid"], first["pid_inside"], first["program"]) == (9, 2, "/bin/x")
    assert (rest["rule"], rest["times"], rest["pid"]) == ("mount", 6, 0)
    assert first["id"] != rest["id"]
    assert (first["sandbox"], first["principal"], first["host"]) == ("work", "uid:1", "watcher")


def test_a_flood_of_different_ones_is_bounded_and_counted(place: AuditPlace) -> None:
    recorder = Recorder(place, "", "work", "uid:1")
    for number in range(MOST + 50):
        recorder.take(told("refused-by-name", arguments={"0": hex(number)}))
    recorder.close()
    rows = [row for row in written(place) if row["rule"] != "probing"]
    assert sum(row["times"] for row in rows) == MOST + 50
    assert (rows[-1]["rule"], rows[-1]["times"], len(rows)) == ("flood", 50, MOST + 1)


def test_what_cannot_be_written_is_said_by_the_next(place: AuditPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder(place, "", "work", "uid:1")

    def full(*_: object) -> None:
        raise OSError("no room")

    with monkeypatch.context() as patch:
        patch.setattr(module, "append_once", full)
        recorder.take(told("mount"))
    recorder.take(told("reboot"))
    (row,) = written(place)
    assert (row["rule"], row["lost"]) == ("host", 1)


def test_there_is_a_rule_for_everything_and_each_says_what_it_means() -> None:
    assert {rule.severity for rule in rules()} | {pattern.rule.severity for pattern in patterns()} <= set(SEVERITIES)
    assert rule_of(told("no-such-call", "ENOSYS")).id == "fallback"
    assert rule_of(told("no-such-call")).id == "refused"
    assert rule_of(told("ioctl", arguments={"fd": 0, "request": "0x5412"})).id == "terminal-input"
    assert rule_of(told("ioctl", arguments={"fd": 0, "request": "0x5423"})).id == "refused"
    assert rule_of(told("ioctl", arguments=None)).id == "refused"
    names = [rule.id for rule in rules()] + [pattern.rule.id for pattern in patterns()]
    assert len(set(names)) == len(names)
    assert all(map(meaning, names))


def test_patterns_are_told_once_in_their_time() -> None:
    low, medium, high = (rule_of(told(call)) for call in ("personality", "unshare", "mount"))
    info = rule_of(told("clone3", "ENOSYS"))
    seen = Patterns()
    assert not list(seen.add(0.0, high, "mount", 49))  # no namespace before it
    assert [rule.id for rule in seen.add(1.0, high, "mount", 1)] == ["many-refused"]
    assert not list(seen.add(2.0, high, "mount", 100))
    seen = Patterns()
    assert not list(seen.add(0.0, medium, "unshare", 1))
    assert not list(seen.add(11.0, high, "mount", 1))  # too late
    assert not list(seen.add(12.0, medium, "unshare", 1))
    assert [rule.id for rule in seen.add(13.0, high, "mount", 1)] == ["way-out"]
    seen = Patterns()
    for number in range(30):  # what libraries fall back from is no probing
        assert not list(seen.add(number / 10, info, f"call {number}", 5))
    found = [rule.id for number in range(10) for rule in seen.add(4.0, low, f"call {number}", 1)]
    assert found == ["probing"]
