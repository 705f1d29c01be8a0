"""Rates, what is served at once, what is unusual; each principal's own, and the same after a restart."""

import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aisbx.engine import Engine
from aisbx.engine.door import Door
from aisbx.errors import AdmissionError, AisbxError, AuthError, NotFoundError, PolicyError, StateError
from aisbx.keys import Keyring
from aisbx.quota import GENEROUS, Admission, Limits
from aisbx.quota.standing import HOLD, MINUTE
from aisbx.types import Principal

from tests.core.world import World

Clock = Callable[[float], None]


@dataclass
class Told:
    rows: list[tuple[str, str, str]] = field(default_factory=list[tuple[str, str, str]])
    what: list[str] = field(default_factory=list[str])

    def __call__(self, kind: str, who: str, error: AdmissionError, what: str) -> None:
        self.rows, self.what = [*self.rows, (kind, who, error.message)], [*self.what, what]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    now = [1_800_000_000.0]
    monkeypatch.setattr(time, "time", lambda: now[0])

    def pass_by(seconds: float) -> None:
        now[0] += seconds

    return pass_by


@pytest.fixture
def told() -> Told:
    return Told()


def taken(admission: Admission, who: str = "key:a", scope: str = "run", most: int = 5000) -> int:
    """Take until that is refused; gives how often it was not."""
    for number in range(most):
        try:
            admission.take(who, scope)
        except AdmissionError:
            return number
    return most


def test_a_rate_is_a_hundred_a_minute_for_each_principal_and_scope(clock: Clock, told: Told) -> None:
    admission = Admission(Limits(), told)
    assert taken(admission) == 100
    assert taken(admission, scope="files") == 100
    assert taken(admission, "key:b") == 100
    clock(6)
    assert taken(admission) == 10
    clock(3600)
    assert taken(admission) == 100
    clock(-3600)
    assert taken(admission) == 0
    clock(30)
    assert taken(admission) == 50


def test_a_refusal_says_when_to_try_again_and_it_is_so(clock: Clock, told: Told) -> None:
    admission = Admission(Limits({"run": 6}), told)
    assert taken(admission) == 6
    with pytest.raises(AdmissionError) as refused:
        admission.take("key:a", "run")
    assert refused.value.code == "limited"
    assert refused.value.as_record()["retry_after"] == pytest.approx(10)
    assert "10 s" in refused.value.hint
    clock(refused.value.retry_after - 0.01)
    assert taken(admission) == 0
    clock(0.02)
    assert taken(admission) == 1


def test_refusals_are_told_once_a_minute_with_how_many_they_were(clock: Clock, told: Told) -> None:
    admission = Admission(Limits({"run": 1}), told)
    for _ in range(50):
        taken(admission)
    assert len(told.rows) == 1
    clock(MINUTE)
    taken(admission)
    assert [row[:2] for row in told.rows] == [("limit.denied", "key:a")] * 2
    assert "50 refused" in told.rows[1][2]


def test_only_so_many_are_served_at_once(told: Told) -> None:
    admission = Admission(Limits(concurrents={"run": 2}), told)
    with ExitStack() as stack:
        stack.enter_context(admission.serving("key:a", "run"))
        stack.enter_context(admission.serving("key:a", "run"))
        with pytest.raises(AdmissionError, match="2 at once"), admission.serving("key:a", "run"):
            pass
        with admission.serving("key:a", "files"), admission.serving("key:b", "run"):
            pass
    with admission.serving("key:a", "run"), pytest.raises(ValueError, match="x"), admission.serving("key:a", "run"):
        raise ValueError("x")
    with admission.serving("key:a", "run"), admission.serving("key:a", "run"):
        pass


def _denials(number: int) -> list[AisbxError]:
    return [PolicyError("rule: no") for _ in range(number)]


def _names(number: int) -> list[AisbxError]:
    return [NotFoundError("there is no process", name=f"p{one}") for one in range(number)]


UNUSUAL: list[tuple[list[AisbxError], str]] = [
    (_denials(20), "20 denials"),
    (_names(20), "20 names or paths of nothing"),
    (_denials(19), ""),
    (_names(19), ""),
    (_names(1) * 100, ""),
    ([StateError("it is full")] * 100, ""),
]


@pytest.mark.parametrize(("errors", "said"), UNUSUAL, ids=range(len(UNUSUAL)))
def test_whoever_scans_or_is_denied_again_and_again_is_told_of_and_held_back(
    errors: list[AisbxError], said: str, clock: Clock, told: Told
) -> None:
    admission = Admission(Limits({"run": 1000}), told)
    for error in errors:
        with pytest.raises(type(error)), admission.serving("key:a", "run"):
            raise error
    admission.take("key:b", "run")
    if not said:
        admission.take("key:a", "run")
        assert told.rows == []
        return
    assert (told.rows, told.what) == ([("anomaly", "key:a", f"key:a: {said} within a minute")], [said.split()[1]])
    with pytest.raises(AdmissionError, match="held back") as held:
        admission.take("key:a", "files")
    assert held.value.retry_after == pytest.approx(HOLD)
    clock(HOLD)
    admission.take("key:a", "files")


def test_denials_that_are_far_apart_are_usual(clock: Clock, told: Told) -> None:
    admission = Admission(Limits(), told)
    for error in _denials(100):
        clock(4)
        with pytest.raises(PolicyError), admission.serving("key:a", "run"):
            raise error
    assert told.rows == []


def test_a_rate_far_above_the_principals_own_is_told_once_a_minute(clock: Clock, told: Told) -> None:
    admission = Admission(Limits({"run": 1000}), told)
    for _ in range(12):
        taken(admission, most=10)
        taken(admission, "key:busy", most=100)
        clock(MINUTE)
    taken(admission, most=50)
    taken(admission, "key:busy", most=400)
    assert told.rows == []
    taken(admission, most=30)
    assert told.rows == [("anomaly", "key:a", "key:a: 51 requests within a minute, where 10 are usual")]


def test_who_is_the_user_already_is_not_watched_and_hardly_limited(told: Told) -> None:
    admission = Admission(GENEROUS, told)
    assert taken(admission) == 5000
    for error in _names(50):
        with pytest.raises(NotFoundError), admission.serving("uid:0", "run"):
            raise error
    admission.take("uid:0", "run")
    assert told.rows == []


def test_what_was_used_is_used_after_a_restart(clock: Clock, told: Told, tmp_path: Path) -> None:
    file = tmp_path / "state/admission.json"
    first, second = (Admission(Limits(), told, file) for _ in range(2))
    assert taken(first) == 100
    for error in _denials(20):
        with pytest.raises(PolicyError), first.serving("key:b", "run"):
            raise error
    assert taken(second, "key:c") == 100
    first.save(first.snapshot())
    second.save(second.snapshot())
    assert first.snapshot() == {}
    assert file.stat().st_mode & 0o777 == 0o600
    again = Admission(Limits(), told, file)
    assert [taken(again, who) for who in ("key:a", "key:b", "key:c", "key:d")] == [0, 0, 0, 100]
    clock(6)
    assert taken(Admission(Limits(), told, file)) == 10


BEGINS = '{"version": 1, "principals": {"a": {'


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"version": 2, "principals": {}}',
        '{"version": 1, "principals": {"a": []}}',
        '{"version": 1, "principals": {"a": {}}}',
        BEGINS + '"buckets": {"run": [NaN, 0]}, "mean": 0, "minutes": 0, "until": 0, "seen": 0}}}',
        BEGINS + '"buckets": {}, "mean": -1, "minutes": 0, "until": 0, "seen": 0}}}',
    ],
)
def test_a_damaged_file_is_an_error_and_never_full_limits(text: str, told: Told, tmp_path: Path) -> None:
    file = tmp_path / "admission.json"
    file.write_text(text)
    with pytest.raises(StateError, match=r"admission\.json") as refused:
        Admission(Limits(), told, file)
    assert "remove" in refused.value.hint


def test_only_so_many_principals_are_remembered(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aisbx.quota.admission._MOST", 3)
    admission = Admission(Limits({"run": 1}), told)
    with admission.serving("key:0", "run"):
        for number in range(10):
            taken(admission, f"key:{number}")
    assert len(admission._standings) == 3
    assert "key:0" in admission._standings


# --- the door, with its records


def door(world: World) -> Door:
    return Door(Engine(world.environ, str(world.project)), "test", "api-key", shared=True)


def records(world: World) -> list[dict[str, object]]:
    return [json.loads(line) for line in (world.home / ".local/state/aisbx/audit.jsonl").read_text().splitlines()]


def test_who_fails_again_and_again_fills_no_log_and_keeps_nobody_out(world: World) -> None:
    key, written = Keyring(world.home / ".local/state/aisbx").create("ci", ["run"])
    here = door(world)
    kinds: list[str] = []
    for _ in range(100):
        with pytest.raises((AuthError, AdmissionError)) as refused:
            here.authenticate({"key": written[:-3]}, "192.0.2.1")
        kinds.append(refused.value.code)
    assert kinds == ["unauthenticated"] * 30 + ["limited"] * 70
    assert here.authenticate({"key": written}, "192.0.2.1").id == f"key:{key.id}"
    found = [row["kind"] for row in records(world)]
    assert (found.count("auth.denied"), found.count("limit.denied")) == (30, 1)
    with pytest.raises(AuthError):
        here.authenticate({}, "192.0.2.2")
    assert written.split("_", 2)[2][:-3] not in json.dumps(records(world))


def test_the_settings_say_how_often_and_each_decision_is_recorded(world: World) -> None:
    world.config("[admission.rate]\nrun = 2\n[admission.concurrent]\nrun = 1\n")
    here, who = door(world), Principal("key:a", frozenset({"run"}))
    with here.enter(who, "run", "run_command"), pytest.raises(AdmissionError, match="1 at once"):  # noqa: SIM117
        with here.enter(who, "run", "run_command"):
            pass
    with pytest.raises(AdmissionError, match="2 times"), here.enter(who, "run", "run_command"):
        pass
    with pytest.raises(PolicyError, match=r"scope\.files"), here.enter(who, "files", "read_file"):
        pass
    rows = [(row["kind"], row["principal"]) for row in records(world)]
    assert rows == [("limit.denied", "key:a"), ("scope.denied", "key:a")]
    here.save()()
    with pytest.raises(AdmissionError), door(world).enter(who, "run", "run_command"):
        pass


def test_a_key_file_that_breaks_meanwhile_lets_nobody_in_and_the_cause_is_recorded(world: World) -> None:
    ring = Keyring(world.home / ".local/state/aisbx")
    _, written = ring.create("ci", ["run"])
    here = door(world)
    ring.file.write_text("{")
    with pytest.raises(AuthError, match="nobody can be let in now"):
        here.authenticate({"key": written}, "192.0.2.1")
    (row,) = records(world)
    assert row["kind"] == "auth.failed"
    assert "keys.json" in json.dumps(row)
    with pytest.raises(StateError, match="keys"):
        door(world)


def test_what_is_remembered_of_strangers_is_bounded(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aisbx.quota.admission._MOST", 5)
    admission = Admission(Limits(), told)
    for number in range(20):
        admission.take(f"address:{number}", "run")
    assert max(len(vars(admission)[name]) for name in ("_standings", "_changed")) == 5
