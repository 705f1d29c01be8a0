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


def test_a_flood_of_what_is_trivial_or_grave_takes_no_room_from_what_is_graver_or_another_rules(
    place: AuditPlace,
) -> None:
    """Else a program could have 200 calls refused, and then one that its profile has it ended for."""
    recorder = Recorder(place, "", "work", "uid:1")
    for call in ("refused-by-name", "mount"):
        for number in range(MOST + 50):
            recorder.take(told(call, arguments={"0": hex(number)}))
    recorder.take(told("bpf"))  # critical
    recorder.take(told("reboot"))  # as grave as the flood of `mount`
    rows = [row["rule"] for row in written(place)]
    assert rows.count("mount") == MOST
    assert {"kernel-code", "host"} <= set(rows)


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
    assert {rule.severity for rule in rules()} | {pattern.severity for pattern in patterns()} <= set(SEVERITIES)
    assert rule_of(told("no-such-call", "ENOSYS")).id == "fallback"
    assert rule_of(told("no-such-call")).id == "refused"
    assert rule_of(told("ioctl", arguments={"fd": 0, "request": "0x5412"})).id == "terminal-input"
    assert rule_of(told("ioctl", arguments={"fd": 0, "request": "0x5423"})).id == "refused"
    assert rule_of(told("ioctl", arguments=None)).id == "refused"
    names = [rule.id for rule in rules()] + [pattern.id for pattern in patterns()]
    assert len(set(names)) == len(names)
    assert all(map(meaning, names))


class Seen(Patterns):
    """Takes calls, and gives the ids of patterns."""

    def take(self, now: float, call: str, times: int = 1, errno: str = "EPERM", **arguments: object) -> list[str]:
        row = told(call, errno, arguments=arguments)
        rule = rule_of(row)
        return [pattern.id for pattern in self.add(now, rule.id, rule.severity, row, times)]


def test_patterns_are_told_once_in_their_time() -> None:
    seen = Seen()
    assert not seen.take(0.0, "mount", 49)  # no namespace before it
    assert seen.take(1.0, "mount") == ["many-refused"]
    assert not seen.take(2.0, "mount", 100)
    seen = Seen()
    assert not seen.take(0.0, "unshare")
    assert not seen.take(11.0, "mount")  # too late
    assert not seen.take(12.0, "unshare")
    assert seen.take(13.0, "mount") == ["way-out"]
    seen = Seen()
    for number in range(30):  # what libraries fall back from is no probing
        assert not seen.take(number / 10, f"call {number}", 5, "ENOSYS")
    assert [found for number in range(10) for found in seen.take(4.0, f"call {number}")] == ["probing"]
    seen = Seen()
    assert [found for number in range(25) for found in seen.take(0.0, "chroot", path=f"/{number}")] == ["path-scan"]


def test_what_is_remembered_for_patterns_is_bounded() -> None:
    seen = Seen()
    for number in range(5000):
        seen.take(number / 1000, "chroot", path="/")
    assert len(seen._seen) <= 512
