"""What is done about violations in one sandbox, one after the other. In a process of its own, see `aisbx.reactor`."""

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from aisbx import keeper
from aisbx.audit.follow import INTERVAL, Follower
from aisbx.audit.jsontext import members
from aisbx.audit.read import Record, read_log
from aisbx.audit.write import AuditError, append_once, start
from aisbx.egress.telling import Telling
from aisbx.errors import AisbxError, StateError, UsageError
from aisbx.plugins import Plugins
from aisbx.types import Detection, Reaction
from aisbx.violations.alerts import Alerts
from aisbx.violations.derive import violations_of
from aisbx.violations.own import Own, wanted
from aisbx.violations.recorder import KIND, Recorder
from aisbx.whose import Whose

if TYPE_CHECKING:
    from aisbx.reactor import Job

REASON = "violation"
"""Why the sandbox ended, in its record."""
_BACK = 10_000
_ENDS = frozenset({"sandbox.end", "sandbox.destroy"})
_LAST, _LOOK = 30.0, 5.0
_LONGEST = 500


class Reacting:
    """Of one sandbox."""

    def __init__(self, job: "Job") -> None:
        """Load what reactions need, and find where in the log to begin; an AisbxError says what is missing."""
        self._job = job
        self._place = job["sandbox"]
        self._name = job["name"]
        self._reactions = [Reaction(on=str(each["on"]), do=_words(each["do"])) for each in job["reactions"]]
        self._own = Own(_detection(each) for each in job["detections"])
        self._whose = Whose(self._place, job["principal"])
        self._recorder = Recorder(job["audit"], job["reserve"], self._name, job["principal"])
        self._alerts = Alerts(*job["alerts"], self._not_alerted) if job["alerts"] else None
        name, settings = job["driver"]
        plugins = Plugins(*job["plugins"])
        self._driver = plugins.get("driver", name, settings)
        if job["sinks"]:
            loaded = {name: plugins.get("sink", name, table) for name, table in job["sinks"].items()}
            self._recorder.tell = Telling(loaded, self._recorder.sink_failed).tell
        path = job["audit"]["path"]
        self._last = self._reached()
        if self._last < 0:
            reading = read_log(path, tail=1)
            self._missed: list[Record] = []
            self._note(max((_number(record) for record in reading.records), default=0))
        else:
            reading = read_log(path, tail=_BACK)
            self._missed = [record for record in reading.records if _number(record) > self._last]
        self._follower = Follower(path, reading.end)
        self._ended = False

    def work(self) -> None:
        """React until the sandbox has ended."""
        self._all(self._missed)
        look = time.monotonic() + _LOOK
        while not self._ended and os.path.isdir(self._place):
            time.sleep(INTERVAL)
            gone = False
            if time.monotonic() >= look:
                look, gone = time.monotonic() + _LOOK, not self._lives()
            self._all(list(self._follower.new()))
            if gone:
                break
        if self._alerts is not None:
            self._alerts.close(_LAST)

    def _lives(self) -> bool:
        """Tell whether the sandbox is there: not every end has a record."""
        try:
            self._driver.attach(str(Path(self._place) / "home"))
        except StateError:
            return False
        return True

    def _all(self, records: list[Record]) -> None:
        for record in records:
            for one in violations_of(record):
                if one.text("sandbox") == self._name:
                    self._one(one)
            if record.text("kind") in _ENDS and record.text("run") == self._name:
                self._ended = True
        if records:
            self._note(_number(records[-1]))

    def _one(self, record: Record) -> None:
        row, name = record.data, record.text("id")
        do = wanted(self._reactions, record.text("rule"), record.text("severity"))
        if "kill" in do and not self._ended:
            self._do("kill", record, self._kill)
        elif "pause" in do and not self._ended:
            self._do("pause", record, self._pause)
        if "alert" in do and self._alerts is not None:
            self._alerts.send({key: value for key, value in row.items() if key not in {"mac", "argv", "v"}})
        if record.text("rule") not in self._own.ids:
            times = row.get("times")
            for pattern in self._own.add(record.time, row, times if isinstance(times, int) else 1):
                self._recorder.principal = self._whose.now()
                self._recorder.anomaly(pattern, {**row, "of": name})

    def _do(self, what: str, record: Record, how: Any) -> None:  # noqa: ANN401 - takes the record, gives nothing
        why = ""
        try:
            how(record)
        except (AisbxError, OSError) as error:
            why = str(error) or type(error).__name__
        self._tell(what, record.text("id"), record.text("rule"), why)

    def _kill(self, record: Record) -> None:
        job = self._job
        rule = f"{record.text('severity')}/{record.text('rule')}"
        told = f"ended for what it did: {rule}, see: aisbx explain {record.text('id')}"
        if keeper.finish(job, REASON, [told]):
            self._ended = True

    def _pause(self, _record: Record) -> None:
        sandbox = self._driver.attach(str(Path(self._place) / "home"))
        if sandbox.freezer is None:
            raise StateError("its driver cannot pause it", hint="use kill")
        with suppress(UsageError):  # it is paused already
            sandbox.freezer.pause()

    def _not_alerted(self, name: str, why: str) -> None:
        self._tell("alert", name, "", why)

    def _tell(self, what: str, name: str, rule: str, why: str) -> None:
        """Record what was done about a violation, or why it could not be."""
        told: dict[str, object] = {"sandbox": self._name, "violation": name, "rule": rule, "done": what}
        told["error"] = why[:_LONGEST]
        beginning = start(f"{KIND}.reaction", self._name, self._whose.now(), "reactor", [])
        with suppress(AuditError, OSError):  # it was done all the same
            append_once(self._job["audit"], f"{beginning},{members(told)}}}", self._job["reserve"])

    def _reached(self) -> int:
        try:
            return int(Path(self._place, "reacted").read_text(encoding="ascii"))
        except (OSError, ValueError):
            return -1

    def _note(self, number: int) -> None:
        self._last = max(self._last, number)
        path = Path(self._place, "reacted")
        with suppress(OSError):  # it has been removed: the sandbox has ended
            path.with_suffix(".new").write_text(str(self._last), encoding="ascii")
            path.with_suffix(".new").replace(path)


def _number(record: Record) -> int:
    found = record.data.get("seq")
    return found if isinstance(found, int) else 0


def _words(value: object) -> tuple[str, ...]:
    return tuple(map(str, cast("list[object]", value)))


def _detection(row: dict[str, object]) -> Detection:
    arguments = cast("list[tuple[str, list[str]]]", row["arguments"])
    table: dict[str, Any] = {
        **row,
        "rules": _words(row["rules"]),
        "what": _words(row["what"]),
        "arguments": tuple((name, tuple(fits)) for name, fits in arguments),
    }
    return Detection(**table)
