"""Each decision is written down before it is carried out, and no sandbox can fill the disk with them."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from aisbx.audit.places import place
from aisbx.audit.write import RESERVE
from aisbx.egress.recorder import Recorder
from aisbx.types import Event


class Log:
    """A recorder, what it has written, and a clock that the test moves."""

    def __init__(self, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("state", "config"):
            (state / name).mkdir(mode=0o700)
        self.now = 1000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        audit = place(state / "state", state / "config", 1 << 24, 0, "")
        self.path = Path(audit["path"])
        self.principal = "principal"
        self.recorder = Recorder(audit, str(state / "state" / RESERVE), "run", lambda: self.principal)

    def report(self, host: str, kind: str = "egress.refused", port: int = 0, path: str = "") -> None:
        said = {"host": host, "port": port, "path": path}
        self.recorder.report(Event(kind, 0.0, {key: value for key, value in said.items() if value}))

    def violations(self) -> list[tuple[str, str, dict[str, object]]]:
        rows = [row for row in self.all() if row["kind"] == "violation"] if self.path.exists() else []
        return [(row["rule"], row["severity"], row["arguments"]) for row in rows]

    def all(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.path.read_text().splitlines()]

    def rows(self) -> list[tuple[str, dict[str, object]]]:
        return [(row["kind"], row["egress"]) for row in self.all() if row["kind"] != "violation"]


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Log:
    return Log(tmp_path, monkeypatch)


def test_a_decision_that_is_the_same_again_is_counted(log: Log) -> None:
    for _ in range(5):
        log.report("a.example")
    assert log.rows() == [("egress.refused", {"host": "a.example"})]
    log.now += 10
    log.report("a.example")
    assert log.rows()[1:] == [("egress.refused", {"host": "a.example"})]


def test_another_kind_or_host_is_written_at_once(log: Log) -> None:
    log.report("a.example")
    log.report("a.example", "egress.allowed")
    log.report("b.example")
    assert [kind for kind, _ in log.rows()] == ["egress.refused", "egress.allowed", "egress.refused"]


def test_beyond_two_hundred_records_there_is_one_of_how_many_more_there_were(log: Log) -> None:
    for number in range(250):
        log.report(f"n{number}.example")
    assert len(log.rows()) == 200
    log.now += 10
    log.report("a.example")
    assert log.rows()[200:] == [("egress.dropped", {"times": 50}), ("egress.refused", {"host": "a.example"})]


def test_a_flood_takes_no_room_from_the_first_of_another_rule(log: Log) -> None:
    """Reactions hear of records alone: else 200 refusals would hide a look at the cloud's metadata."""
    for number in range(250):
        log.report(f"n{number}.example")
    for _ in range(2):
        log.recorder.report(
            Event("egress.refused", 0.0, {"host": "169.254.169.254", "network": "metadata", "port": _ + 80})
        )
    rows = log.rows()
    assert [row[1]["host"] for row in rows[200:]] == ["169.254.169.254"]


def test_what_is_remembered_of_a_sandbox_is_bounded(log: Log) -> None:
    for _ in range(3):
        for number in range(300):
            log.report(f"{log.now}.{number}.example")
        log.now += 11
    log.report("a.example")
    assert len(log.recorder._seen) == 1


def test_what_is_written_is_told_to_sinks_with_the_rules_id(log: Log) -> None:
    told: list[Event] = []
    log.recorder.tell = told.append
    for _ in range(2):
        log.recorder.report(Event("egress.allowed", 0.0, {"host": "a.example", "rule": "*.example"}))
    (event,) = told
    assert event.kind == "egress.allowed"
    assert event.data["rule"] == "*.example"
    assert event.data["run"] == "run"
    assert event.data["egress"] == {"host": "a.example", "rule": "*.example"}
    log.recorder.sink_failed("otel", OSError("away"))
    assert log.rows()[-1] == ("egress.sink", {"sink": "otel", "reason": "OSError: away"})


def test_what_cannot_be_written_down_is_an_error_each_time(log: Log) -> None:
    log.path.mkdir(parents=True)
    for _ in range(2):
        with pytest.raises(OSError, match="Is a directory"):
            log.report("a.example", "egress.allowed")


def test_who_tries_port_after_port_of_a_host_is_told_of_once_whatever_else_is_refused(log: Log) -> None:
    for port in range(1, 30):
        log.report("a.example", port=port)
        log.report("b.example", port=443)
    (found,) = [row for row in log.all() if row["kind"] == "violation"]
    assert (found["rule"], found["source"], found["severity"]) == ("port-scan", "anomaly", "high")
    assert (found["arguments"], found["sandbox"], found["run"]) == ({"host": "a.example"}, "", "run")


def test_who_tries_host_after_host_is_told_of(log: Log) -> None:
    for number in range(30):
        log.report(f"n{number}.example")
    assert [row["rule"] for row in log.all() if row["kind"] == "violation"] == ["host-scan"]


def test_who_tries_path_after_path_that_a_rule_does_not_have_is_told_of_once(log: Log) -> None:
    for number in range(19):
        log.report("a.example", path=f"/{number}")
        log.report("b.example", path="/same")
    assert log.violations() == []
    for number in range(19, 40):
        log.report("a.example", path=f"/{number}")
    assert log.violations() == [("http-path-scan", "high", {"host": "a.example"})]


def test_who_guesses_paths_at_which_there_is_nothing_is_told_of_and_no_answer_is_a_record(log: Log) -> None:
    for number in range(60):
        log.report("a.example", "egress.missing", path=f"/{number}")
        for _ in range(20):  # what is asked for again and again drives nothing else out
            log.report("a.example", "egress.missing", path="/known")
    assert log.violations() == [("http-path-guessing", "medium", {"host": "a.example"})]
    assert [row["kind"] for row in log.all()] == ["violation"]


def test_installing_packages_is_no_scan(log: Log) -> None:
    for number in range(300):  # of each the page, and a file that one index in four does not have
        log.report(f"n{number % 40}.example", "egress.allowed", port=number)
        if number % 4 == 0:
            log.report(f"n{number % 40}.example", "egress.missing", path=f"/{number}")
        log.now += 0.05
    for number in range(49):
        log.report("a.example", "egress.missing", path=f"/{number}")
    log.now += 10.1
    log.report("a.example", "egress.missing", path="/late")
    assert log.violations() == []


def test_records_are_of_whoever_has_the_sandbox_at_the_time(log: Log) -> None:
    log.report("a.example")
    log.principal = "another"
    for port in range(1, 11):
        log.report("b.example", port=port)
    assert [row["principal"] for row in log.all()] == ["principal", *["another"] * 11]
