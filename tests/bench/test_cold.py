"""The benchmark measures real runs, in a home of its own, and its exit code is its verdict."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.measure import Bench, BenchmarkError
from benchmarks.table import TIMES, Row, render


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench({"PATH": "/usr/bin:/bin"}, str(tmp_path / "errors"))


@pytest.mark.slow
def test_it_gives_every_figure_and_leaves_the_users_home_alone(figures: Callable[..., dict[str, Any]]) -> None:
    rows = figures("--rounds", "1")["rows"]
    assert all(row["figure"] > 0 for row in rows)
    assert len({row["name"] for row in rows if row["at_most"] or row["at_least"]}) == 7


@pytest.mark.parametrize(
    ("row", "ok"),
    [
        (Row(name="a", figure=1.5, unit=TIMES, at_most=1.5), True),
        (Row(name="a", figure=1.51, unit=TIMES, at_most=1.5), False),
        (Row(name="a", figure=0.8, unit=TIMES, at_least=0.8), True),
        (Row(name="a", figure=0.79, unit=TIMES, at_least=0.8), False),
        (Row(name="a", figure=float("nan"), unit=TIMES, at_most=1.5), False),
        (Row(name="a", figure=99.0, unit=TIMES), True),
    ],
)
def test_a_missed_target_is_shown_as_missed(row: Row, *, ok: bool) -> None:
    assert row.ok is ok
    assert ("MISSED" in render([row], 1, {})) is not ok


def test_a_command_that_fails_is_an_error_and_not_a_time(bench: Bench) -> None:
    with pytest.raises(BenchmarkError, match="exit code 3\nno"):
        bench.seconds(["/bin/sh", "-c", "echo no >&2; exit 3"])
    with pytest.raises(BenchmarkError, match="exit code 3"):
        bench.per_second([["/bin/true"], ["/bin/sh", "-c", "exit 3"]], 2, 2)
    with pytest.raises(BenchmarkError, match="exit code 3"):
        bench.peak(sys.executable, ["/bin/sh", "-c", "exit 3"])


def test_each_command_runs_once_a_round_and_variants_take_turns(bench: Bench, tmp_path: Path) -> None:
    def note(text: str) -> list[str]:
        return ["/bin/sh", "-c", f"echo {text} >> {tmp_path}/order"]

    samples = bench.interleaved(4, {"one": [note("a")], "two": [note("b"), note("c")]})
    assert (tmp_path / "order").read_text().split() == list("abacabac")
    assert [len(sample.times) for sample in samples.values()] == [4, 4]


def test_a_chain_counts_once_and_all_of_its_commands_run(bench: Bench, tmp_path: Path) -> None:
    chain = [["/bin/sh", "-c", f"echo {step} >> {tmp_path}/steps"] for step in "ab"]
    assert bench.per_second(chain, 5, 2) > 0
    assert sorted((tmp_path / "steps").read_text().split()) == ["a"] * 5 + ["b"] * 5


def test_the_peak_is_the_commands_own_and_not_its_callers(bench: Bench) -> None:
    ballast = bytearray(64 << 20)
    small = bench.peak(sys.executable, ["/bin/true"])
    large = bench.peak(sys.executable, [sys.executable, "-I", "-S", "-c", "bytearray(64 << 20)"])
    assert small < 32 << 10 < large
    assert ballast
