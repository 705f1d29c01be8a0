"""Rules that are added while a sandbox runs hold as long as they are to, and no file gives more than was written."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from aisbx.egress import grants
from aisbx.egress.grants import Grant, Granted


def hold(home: Path, *those: Grant) -> None:
    with grants.changing(str(home)) as held:
        held[:] = those


def test_changes_at_once_all_count_and_one_that_fails_changes_nothing(tmp_path: Path) -> None:
    def add(number: int) -> None:
        with grants.changing(str(tmp_path)) as held:
            time.sleep(0.005)
            held.append(Grant(f"{number}.example"))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(add, range(8)))
    assert {one.rule for one in grants.read(str(tmp_path))} == {f"{number}.example" for number in range(8)}
    with suppress(RuntimeError), grants.changing(str(tmp_path)) as held:
        held.clear()
        raise RuntimeError
    assert len(grants.read(str(tmp_path))) == 8


def test_a_grant_is_among_the_rules_from_its_next_call_on_and_until_it_is_withdrawn(tmp_path: Path) -> None:
    rules = Granted(("a.example",), str(tmp_path))
    assert rules() == ("a.example",)
    hold(tmp_path, Grant("b.example:443"))
    assert rules() == ("a.example", "b.example:443")
    hold(tmp_path)
    assert rules() == ("a.example",)


def test_a_grant_ends_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = Granted((), str(tmp_path))
    now = time.time()
    hold(tmp_path, Grant("b.example", now + 60), Grant("c.example"))
    assert rules() == ("b.example", "c.example")
    monkeypatch.setattr(time, "time", lambda: now + 61)
    assert rules() == ("c.example",)
    assert grants.read(str(tmp_path)) == [Grant("c.example")]


@pytest.mark.parametrize("text", ["", "{", "[1]", '[["a.example"]]', '[["a.example", "x"]]', '{"a": 1}'])
def test_a_file_that_cannot_be_read_grants_nothing(tmp_path: Path, text: str) -> None:
    hold(tmp_path, Grant("b.example"))
    rules = Granted(("a.example",), str(tmp_path))
    assert len(rules()) == 2
    (tmp_path / "grants.json").write_text(text)
    assert rules() == ("a.example",)


def test_a_run_is_granted_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hold(tmp_path, Grant("b.example"))
    monkeypatch.chdir(tmp_path)
    assert Granted(("a.example",), "")() == ("a.example",)
