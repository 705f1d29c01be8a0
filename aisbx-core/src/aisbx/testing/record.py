"""A pytest plugin that writes what the kit saw: `pytest -p aisbx.testing.record --record-results FILE`.

Only a run in which every test of every control and attack has passed writes anything: half of the truth is none. That
the attacks work unconfined is a matter of the machine: `--proved-by FILE` takes it from the results of another driver.
Where a run takes long, `--noted FILE` keeps what passed, and a run that finds it there goes on with the others.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from aisbx.errors import StateError
from aisbx.testing.attack import Attack
from aisbx.testing.attacks import ATTACKS
from aisbx.testing.results import HELD, REFUSED, UNPROVED, Seen, Tried, digest, kind_of_user, load, save
from aisbx.types import CONTROLS

ATTACK, UNCONFINED, CONTROL = "aisbx.attack", "aisbx.unconfined", "aisbx.control"
"""Names of what a test records: `ID LEVEL OUTCOME`, `ID`, `CONTROL LEVEL admitted|refused HOW`."""


class Notes:
    """What passed in runs before this one, by the ids of the tests; nothing where the attacks were others then."""

    def __init__(self, path: Path) -> None:
        """Read the file, if there is one; StateError where it is none of these."""
        self._path = path
        self.rows: dict[str, list[tuple[str, str]]] = {}
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            if data["attacks"] == digest():
                self.rows = {test: [(str(name), str(value)) for name, value in rows] for test, rows in data["passed"]}
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StateError(f"{path}: no notes of the contract kit: {error!r}", hint="remove it") from error

    def add(self, test: str, rows: list[tuple[str, str]]) -> None:
        """Keep what a test has recorded that passed."""
        self.rows[test] = rows
        text = json.dumps({"attacks": digest(), "passed": list(self.rows.items())})
        beside = self._path.with_name(f".{self._path.name}.new")
        beside.write_text(text, encoding="utf-8")
        beside.replace(self._path)

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave out what has passed."""
        if passed := [item for item in items if item.nodeid in self.rows]:
            config.hook.pytest_deselected(items=passed)
            items[:] = [item for item in items if item.nodeid not in self.rows]


class Recorder:
    """Gathers what the tests record, also from other processes (pytest-xdist)."""

    def __init__(self, path: Path, kind: str = "", proved: Path | None = None, notes: Notes | None = None) -> None:
        """Keep the path; it is written when the last test has ended, as what was seen of `kind`.

        `proved` has the results of a run in which each attack was made unconfined, `notes` what passed before this one.
        """
        self._path = path
        self._kind = kind
        self._proved = proved
        self._notes = notes
        self._noted = [row for rows in notes.rows.values() for row in rows] if notes else []
        self._failed = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take what a test that passed has recorded."""
        self._failed |= report.failed
        if report.when == "call" and report.passed:
            rows = [(name, str(value)) for name, value in report.user_properties]
            self._noted += rows
            if self._notes is not None:
                self._notes.add(report.nodeid, rows)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the file; a usage error where something is missing."""
        problem = "a test has failed" if self._failed else ""
        if not problem:
            try:
                proved = load(self._proved, (kind_of_user(),))[kind_of_user()] if self._proved is not None else None
                save(self._path, seen(self._noted, proved), self._kind)
            except KeyError as error:
                problem = f"nothing was seen of {error.args[0]}"
            except StateError as error:
                problem = f"{error.message}; {error.hint}"
        if problem:
            session.exitstatus = session.exitstatus or pytest.ExitCode.USAGE_ERROR
            reporter = session.config.pluginmanager.get_plugin("terminalreporter")
            if reporter is not None:
                reporter.write_line(f"{self._path} stays as it was: {problem}", red=True)


def seen(noted: Iterable[tuple[str, str]], proved: Mapping[str, Seen] | None = None) -> dict[str, Seen]:
    """Put together what the tests recorded; KeyError with the id of an attack or a control that is missing.

    `proved` has what was seen of another driver, where each attack was made unconfined too.
    """
    rows = {(name, text.split()[0]): text.split(" ", 3)[1:] for name, text in noted}
    found: dict[str, Seen] = {}
    for control in CONTROLS:
        level, asked, *how = _row(rows, CONTROL, control)
        attacks = {
            attack.name: _tried(rows, attack, proved) for attack in ATTACKS.values() if attack.control == control
        }
        found[control] = Seen(level, asked, attacks, " ".join(how))
    return found


def _tried(rows: dict[tuple[str, str], list[str]], attack: Attack, proved: Mapping[str, Seen] | None) -> Tried:
    level, outcome = _row(rows, ATTACK, attack.id)
    then = proved[attack.control].attacks[attack.name] if proved is not None else None
    # One that was refused there was made unconfined only where this machine lets it work.
    why = attack.unprovable() if then is None or then.outcome == REFUSED else then.why
    if outcome == HELD and why:
        return Tried(level, UNPROVED, why)
    if not why and then is None:
        _row(rows, UNCONFINED, attack.id)
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
    group.addoption("--results-of", default="", metavar="KIND", help="as what: a level of the driver; else this user")
    group.addoption("--noted", type=Path, metavar="FILE", help="leave out what FILE says has passed, and note the rest")
    group.addoption("--proved-by", type=Path, metavar="FILE", help="results in which each attack was made unconfined")


def pytest_configure(config: pytest.Config) -> None:
    """Record in the process that gathers the reports."""
    path, noted = config.getoption("record_results", None), config.getoption("noted", None)
    notes = Notes(noted) if noted is not None else None
    if notes is not None:
        config.pluginmanager.register(notes)
    if path is not None and not hasattr(config, "workerinput"):
        kind, proved = str(config.getoption("results_of")), config.getoption("proved_by")
        config.pluginmanager.register(Recorder(path, kind, proved, notes))
