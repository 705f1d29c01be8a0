"""Decisions in the audit log: none is carried out without a record, and no sandbox can fill the disk with them."""

import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from aisbx.audit.jsontext import members
from aisbx.audit.write import AuditError, append_once, start
from aisbx.types import AuditPlace, Event

if TYPE_CHECKING:
    from collections.abc import Callable

    from aisbx.violations.recorder import Recorder as Violations
    from aisbx.violations.rules import Patterns

_REFUSED, _DROPPED, _MISSING = "egress.refused", "egress.dropped", "egress.missing"
_AGAIN = 10.0
"""Seconds in which a decision that is the same again is only counted."""
_REMEMBERED = 1000
"""Decisions up to which those join them that are not written."""
_LONGEST = 500
"""Characters of what a sink says is wrong."""
_MOST = 200
"""Records in so many seconds; of further ones there is one that says how many. The first refusal of each rule of
violations is written all the same: reactions hear of records alone."""


@dataclass(slots=True)
class _Seen:
    until: float
    times: int = 0


class Recorder:
    """Takes the events of one sandbox."""

    def __init__(
        self, audit: AuditPlace, reserve: str, run: str, whose: "Callable[[], str]", sandbox: str = ""
    ) -> None:
        """`run` is the run's id or the sandbox's name; `sandbox` is the name of one that lasts.

        `whose` gives the id of the principal whose it is at present.
        """
        self.tell: Callable[[Event], None] | None = None
        """Hears of each record that was written, as sinks are to see it."""
        self._audit = audit
        self._reserve = reserve
        self._run = run
        self._sandbox = sandbox
        self._whose = whose
        self._seen: dict[str, _Seen] = {}
        self._until = 0.0
        self._written = self._dropped = 0
        self._rules: set[str] = set()
        """Those of violations of which there is a record."""

    def report(self, event: Event) -> None:
        """Write an event down, or count it; OSError where it cannot be, and then it must not happen.

        What a server has nothing for was allowed: it is no record, and many of them together are a violation.
        """
        now = time.monotonic()
        if now >= self._until:
            self._until, self._written, dropped, self._dropped = now + _AGAIN, 0, self._dropped, 0
            self._rules.clear()
            if dropped:
                self._write(_DROPPED, {"times": dropped})
            self._seen = {key: seen for key, seen in self._seen.items() if seen.until > now}
        data = dict(event.data)
        key = f"{event.kind},{members(data)}"
        seen = self._seen.get(key)
        if seen is not None and now < seen.until:
            seen.times += 1
            return
        rule = self._scans(now, event.kind, data) if event.kind in {_REFUSED, _MISSING} else ""
        if event.kind == _MISSING:
            if len(self._seen) < _REMEMBERED:
                self._seen[key] = _Seen(now + _AGAIN)
            return
        if self._written >= _MOST and (not rule or rule in self._rules):
            self._dropped += 1
            return
        if seen is not None and seen.times:
            data["before"] = seen.times  # how often it was the same since the last record
        self._write(event.kind, data)
        self._rules.add(rule)
        self._seen[key] = _Seen(now + _AGAIN)

    def _scans(self, now: float, kind: str, data: dict[str, object]) -> str:
        """Write down what one more makes, with those before it, if anything: as a violation. Gives the one's rule."""
        from aisbx.violations.derive import connection, missing
        from aisbx.violations.rules import rule_of

        told = missing(data) if kind == _MISSING else connection(data)
        rule = rule_of(told)
        for pattern in self._patterns.add(now, rule.id, rule.severity, told):
            self._violations.tell, self._violations.principal = self.tell, self._whose()
            self._violations.anomaly(pattern, {**told, "run": "" if self._sandbox else self._run})
        return rule.id

    @cached_property
    def _patterns(self) -> "Patterns":
        from aisbx.violations.rules import Patterns  # most are refused nothing

        return Patterns()

    @cached_property
    def _violations(self) -> "Violations":
        from aisbx.violations.recorder import Recorder as Violations

        return Violations(self._audit, self._reserve, self._sandbox, self._whose())

    def _write(self, kind: str, data: dict[str, object]) -> None:
        self._written += 1
        whose: dict[str, object] = {"sandbox": self._sandbox} if self._sandbox else {}
        principal = self._whose()
        line = f"{start(kind, self._run, principal, 'egress', [])},{members({**whose, 'egress': data})}}}"
        try:
            append_once(self._audit, line, self._reserve)
        except AuditError as error:
            raise OSError(str(error)) from error  # plugins do not know the other
        if self.tell is not None:
            told = {"run": self._run, "principal": principal, "rule": data.get("rule", ""), "egress": data}
            self.tell(Event(kind, time.time(), told))

    def sink_failed(self, name: str, error: Exception) -> None:
        """Write down that a sink hears nothing, as far as that can be."""
        with suppress(AuditError, OSError):
            data = {"sink": name, "reason": f"{type(error).__name__}: {error}"[:_LONGEST]}
            line = f"{start('egress.sink', self._run, self._whose(), 'egress', [])},{members({'egress': data})}}}"
            append_once(self._audit, line, self._reserve)
