"""What a person is told of a run that met a limit."""

import pytest
from aisbx.cli.ends import met

NOTHING = {"timed_out": False, "oom_killed": False, "pids_limited": False, "dropped": 0}


def test_a_run_that_met_no_limit_is_told_nothing() -> None:
    assert met(timed_out=False, oom_killed=False, pids_limited=False, dropped=0) == []


@pytest.mark.parametrize("name", NOTHING)
def test_each_limit_has_words_of_its_own(name: str) -> None:
    lines = {key: met(**{**NOTHING, key: 7 if key == "dropped" else True}) for key in NOTHING}  # pyright: ignore[reportArgumentType]
    assert len(lines[name]) == 1
    assert lines[name] not in [line for key, line in lines.items() if key != name]


def test_all_of_them_are_told() -> None:
    assert len(met(timed_out=True, oom_killed=True, pids_limited=True, dropped=1)) == len(NOTHING)
