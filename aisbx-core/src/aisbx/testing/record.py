"""A pytest plugin that writes what the kit saw: `pytest -p aisbx.testing.record --record-results FILE`.

Only a run in which every test of every control and attack has passed writes anything: half of the truth is none.
"""

from collections.abc import Iterable
from pathlib import Path

import pytest

from aisbx.testing.attacks import ATTACKS
from aisbx.testing.results import HELD, UNPROVED, Seen, Tried, save
from aisbx.types import CONTROLS

ATTACK, UNCONFINED, CONTROL = "aisbx.attack", "aisbx.unconfined", "aisbx.control"
"""Names of what a test of the contract records: `ID LEVEL OUTCOME`, `ID`, `CONTROL LEVEL admitted|refused`."""


class Recorder:
    """Gathers what the tests record, also from other processes (pytest-xdist)."""

    def __init__(self, path: Path) -> None:
        """Keep the path; it is written when the last test has ended."""
        self._path = path
        self._noted: list[tuple[str, str]] = []
        self._failed = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take what a test that passed has recorded."""
        self._failed |= report.failed
        if report.when == "call" and report.passed:
            self._noted += [(name, str(value)) for name, value in report.user_properties]

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the file; a usage error where something is missing."""
        problem = "a test has failed" if self._failed else ""
        if not problem:
            try:
                save(self._path, seen(self._noted))
            except KeyError as error:
                problem = f"nothing was seen of {error.args[0]}"
        if problem:
            session.exitstatus = session.exitstatus or pytest.ExitCode.USAGE_ERROR
            reporter = session.config.pluginmanager.get_plugin("terminalreporter")
            if reporter is not None:
                reporter.write_line(f"{self._path} stays as it was: {problem}", red=True)


def seen(noted: Iterable[tuple[str, str]]) -> dict[str, Seen]:
    """Put together what the tests recorded; KeyError with the id of an attack or a control that is missing."""
    rows = {(name, text.split()[0]): text.split()[1:] for name, text in noted}
    found: dict[str, Seen] = {}
    for control in CONTROLS:
        level, asked = _row(rows, CONTROL, control)
        attacks = {
            attack.name: _tried(rows, attack.id, attack.unprovable())
            for attack in ATTACKS.values()
            if attack.control == control
        }
        found[control] = Seen(level, asked, attacks)
    return found


def _tried(rows: dict[tuple[str, str], list[str]], attack: str, unprovable: str) -> Tried:
    level, outcome = _row(rows, ATTACK, attack)
    if outcome == HELD and unprovable:
        return Tried(level, UNPROVED, unprovable)
    if not unprovable:
        _row(rows, UNCONFINED, attack)
    return Tried(level, outcome)


def _row(rows: dict[tuple[str, str], list[str]], name: str, key: str) -> list[str]:
    try:
        return rows[name, key]
    except KeyError:
        raise KeyError(key) from None


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    group = parser.getgroup("aisbx")
    group.addoption("--record-results", type=Path, metavar="FILE", help="write what the contract kit saw to FILE")


def pytest_configure(config: pytest.Config) -> None:
    """Record in the process that gathers the reports."""
    path = config.getoption("record_results", None)
    if path is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder(path))
