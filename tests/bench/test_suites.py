"""The table of real packages' suites: results are read right, and a difference cannot pass."""

import re
from pathlib import Path

import pytest

from benchmarks import suites
from benchmarks.suite_results import READERS, Results

GO = """\
{"Action":"pass","Test":"TestA"}
{"Action":"skip","Test":"TestB"}
{"Action":"pass","Package":"p"}
noise
{"Action":"build-fail","ImportPath":"p"}
"""
CARGO = """\
test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured
test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured
"""
JUNIT = """\
[        12 containers found      ]
[         7 tests successful      ]
[         1 tests failed          ]
[         2 tests skipped         ]
"""
OUTPUTS = {
    "pytest": ("==== 1 failed, 9 passed, 2 skipped, 1 xfailed in 0.52s ====", Results(9, 1, 3)),
    "tap": ("ok 1 a\n\n1..3\n# tests 3\n# pass  2\n# fail  1\n", Results(2, 1, 0)),
    "go": (GO, Results(1, 1, 1)),
    "cargo": (CARGO, Results(5, 1, 1)),
    "junit": (JUNIT, Results(7, 1, 2)),
}


@pytest.mark.parametrize("reader", sorted(READERS))
def test_results_are_read_from_what_the_runner_prints(reader: str) -> None:
    text, expected = OUTPUTS[reader]
    assert READERS[reader](text) == expected
    assert READERS[reader]("nothing that looks like a result\n") == Results(0, 0, 0)


def suite(run: str) -> suites.Suite:
    return suites.Suite("python", "demo", "1", "echo 'x = 1' > x.py", run, "pytest")


@pytest.mark.parametrize(
    ("run", "same"),
    [
        ("echo '== 2 passed in 0.1s'", True),
        # Every host has this file, no sandbox: whatever a test sees of it makes the difference.
        (
            "if [ -e /etc/shadow ]; then echo '== 2 passed in 0.1s'; else echo '== 1 passed, 1 failed in 0.1s'; fi",
            False,
        ),
        ("echo '== 2 passed in 0.1s'; [ -e /etc/shadow ]", False),
        ("echo nothing ran", False),
    ],
)
def test_only_equal_results_and_exit_codes_of_something_that_ran_are_the_same(
    run: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, same: bool
) -> None:
    for name in ("PYENV_ROOT", "PYENV_VERSION", "VIRTUAL_ENV"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    place = tmp_path / "home" / "work"
    place.mkdir(parents=True)
    row = suites.compare(suite(run), place)
    assert row.outside == Results(2 if "2 passed" in run else 0, 0, 0)
    assert row.same is same


def test_every_row_of_the_document_is_a_suite_at_its_version_and_none_differs() -> None:
    lines = suites.DOCUMENT.read_text().splitlines()
    rows = [line.split(" | ") for line in lines if re.match(r"\| \w+ [\d.]+ \|", line)]
    assert rows
    assert {row[1] for row in rows} <= {f"`{each.package}` {each.version}" for each in suites.suites([])}
    assert all(row[2] == row[3] == row[4] and row[5] == "yes |" for row in rows)


def test_every_language_has_suites_of_at_least_two_packages() -> None:
    found = [each.language for each in suites.suites([])]
    assert all(found.count(language) >= 2 for language in suites.VERSIONS)
