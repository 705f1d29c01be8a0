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
    run: str, tmp_path: Path, *, same: bool
) -> None:
    row = suites.compare(suite(run), tmp_path)
    assert row.same is same


def test_the_document_has_a_row_for_every_suite_and_none_that_differs() -> None:
    rows = [
        line.split(" | ") for line in suites.DOCUMENT.read_text().splitlines() if re.match(r"\| \w+ [\d.]+ \|", line)
    ]
    expected = [f"`{each.package}` {each.version}" for each in suites.suites([])]
    assert [row[1] for row in rows] == expected
    assert {row[4].removesuffix(" |") for row in rows} == {"yes"}
    assert {each.language for each in suites.suites([])} == suites.VERSIONS.keys()
