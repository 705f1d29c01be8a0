"""What the kit saw is written whole or not at all, and old results are none."""

import json
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from aisbx.errors import StateError
from aisbx.testing import ATTACKS, results
from aisbx.testing.record import ATTACK, CONTROL, UNCONFINED, Notes, Recorder, seen
from aisbx.testing.results import HELD, REFUSED, UNPROVED, Seen, Tried, lacking, load, save
from aisbx.types import CONTROLS

NOTED = [
    *((CONTROL, f"{control} full admitted a namespace; so it is") for control in CONTROLS),
    *((ATTACK, f"{attack} full held") for attack in ATTACKS),
    *((UNCONFINED, attack.id) for attack in ATTACKS.values() if not attack.unprovable()),
]


def test_what_was_seen_is_read_again_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "results.json"
    found = seen(NOTED)
    with pytest.raises(StateError, match="no results of the contract kit"):
        load(path)
    save(path, found)
    with pytest.raises(StateError, match=r"no results of the contract kit: KeyError"):
        load(path)
    other = int(os.geteuid() == 0)
    monkeypatch.setattr(os, "geteuid", lambda: other)
    save(path, found)
    assert load(path) == {"user": found, "root": found}
    assert {row.how for row in found.values()} == {"a namespace; so it is"}
    assert os.listdir(tmp_path) == ["results.json"]
    save(path, found, "plain")
    assert load(path, ("root", "plain")) == {"root": found, "plain": found}
    assert lacking(path, ("plain", "privileged")) == ["privileged"]
    with pytest.raises(StateError, match="privileged"):
        load(path, ("plain", "privileged"))


@pytest.mark.parametrize("row", [(ATTACK, "net:deny/tcp full held"), (UNCONFINED, "net:deny/tcp")])
def test_an_attack_that_was_not_made_or_not_proved_is_missed(row: tuple[str, str]) -> None:
    with pytest.raises(KeyError, match="net:deny/tcp"):
        seen([each for each in NOTED if each != row])


def test_a_control_that_was_not_asked_for_is_missed() -> None:
    with pytest.raises(KeyError, match="net:deny"):
        seen([each for each in NOTED if not each[1].startswith("net:deny full admitted")])


def test_an_attack_that_cannot_work_here_is_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    from aisbx.testing import record

    tcp = replace(ATTACKS["net:deny/tcp"], unprovable=lambda: "nobody listens")
    monkeypatch.setattr(record, "ATTACKS", {**ATTACKS, tcp.id: tcp})
    row = seen(NOTED)["net:deny"]
    assert row.attacks["tcp"] == Tried("full", UNPROVED, "nobody listens")
    assert "unproved" in row.counts()


def test_that_attacks_work_unconfined_can_be_taken_from_the_results_of_another_driver() -> None:
    noted = [row for row in NOTED if row[0] != UNCONFINED]
    first = seen(NOTED)
    assert seen(noted, first) == first
    assert {tried.outcome for row in first.values() for tried in row.attacks.values()} >= {HELD}
    tcp = replace(
        first["net:deny"], attacks={**first["net:deny"].attacks, "tcp": Tried("full", UNPROVED, "no network")}
    )
    assert seen(noted, {**first, "net:deny": tcp})["net:deny"].attacks["tcp"] == Tried("full", UNPROVED, "no network")


def test_results_of_an_attack_that_has_changed_since_are_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "results.json"
    save(path, seen(NOTED))
    data = json.loads(path.read_text())
    (mine,) = data.values()
    path.write_text(json.dumps({"user": mine, "root": mine}))
    assert load(path)
    tcp = replace(ATTACKS["net:deny/tcp"], program="pass")
    monkeypatch.setattr(results, "ATTACKS", {**ATTACKS, tcp.id: tcp})
    with pytest.raises(StateError, match="the results for user and root are of other attacks"):
        load(path)


@pytest.mark.parametrize(
    ("level", "outcomes", "said"),
    [
        ("full", [("full", HELD), ("full", HELD)], "2 of 2"),
        ("full", [("full", HELD), ("full", UNPROVED)], "1 of 1; 1 unproved"),
        ("full", [("full", UNPROVED)], "none; 1 unproved"),
        ("none", [("none", REFUSED)], "none; 1 refused"),
        ("none", [("full", HELD)], "1 of 1 where it is full"),
        ("partial", [("partial", HELD), ("none", REFUSED)], "1 of 2; 1 refused"),
    ],
)
def test_the_count_says_what_was_held_refused_and_not_proved(
    level: str, outcomes: list[tuple[str, str]], said: str
) -> None:
    attacks = {str(number): Tried(*row) for number, row in enumerate(outcomes)}
    assert Seen(level, "admitted", attacks).counts() == said


def test_a_run_that_was_cut_off_goes_on_with_what_has_not_passed_and_only_for_the_same_attacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "noted.json"
    Notes(path).add("tests/test_it.py::one", NOTED[:-1])
    again = Notes(path)
    assert again.rows == {"tests/test_it.py::one": NOTED[:-1]}
    recorder = Recorder(tmp_path / "results.json", notes=again)
    with pytest.raises(KeyError):
        seen(recorder._noted)
    rest = SimpleNamespace(when="call", passed=True, failed=False, user_properties=NOTED[-1:], nodeid="two")
    recorder.pytest_runtest_logreport(cast("pytest.TestReport", rest))
    assert seen(recorder._noted) == seen(NOTED)
    assert list(Notes(path).rows) == ["tests/test_it.py::one", "two"]
    monkeypatch.setattr(results, "ATTACKS", {})
    assert Notes(path).rows == {}
    path.write_text("[]")
    with pytest.raises(StateError, match="no notes"):
        Notes(path)


DRIVEN = """
import pytest
from aisbx.testing.unconfined import Unconfined
from aisbx.testing import DriverContract

class TestNone(DriverContract):
    @pytest.fixture
    def driver(self):
        return Unconfined()
"""


@pytest.mark.parametrize("selected", ["net:deny", "exit_code"])
def test_a_run_of_a_part_writes_nothing_and_says_so(selected: str, tmp_path: Path) -> None:
    import subprocess
    import sys

    (tmp_path / "test_none.py").write_text(DRIVEN)
    path = tmp_path / "results.json"
    options = ["-q", "-p", "no:cacheprovider", "-k", selected, "-p", "aisbx.testing.record"]
    options += ["--record-results", str(path), "--noted", str(tmp_path / "noted.json")]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, tmp_path], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert f"{path} stays as it was: nothing was seen of " in done.stdout
    assert not path.exists()
    passed = Notes(tmp_path / "noted.json").rows
    assert f"{len(passed)} passed" in done.stdout
    assert passed
