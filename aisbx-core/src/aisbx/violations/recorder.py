"""Violations in the audit log, as they happen. No sandbox can fill the disk with them: what is alike is counted."""

import os
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from aisbx.audit.jsontext import dumps, members
from aisbx.audit.write import AuditError, append_once, start
from aisbx.types import AuditPlace, Event
from aisbx.violations.rules import Patterns, Rule, rule_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aisbx.violations.patterns import Pattern

KIND = "violation"
"""Of the records."""
HOST = "watcher"
"""What the audit log says of whoever wrote one."""
AGAIN = 10.0
"""Seconds in which what is the same again is only counted."""
MOST = 200
"""Records of one severity in so many seconds; of further ones there is one that says how many. What is trivial takes no
room from what is grave, and the first of each rule is always written: reactions hear of records alone."""
_LONGEST = 1024
FLOOD = Rule("flood", "medium", "is refused more often than is written down")


@dataclass(slots=True)
class _Seen:
    until: float
    told: dict[str, object]
    times: int = 0


class Recorder:
    """Takes what one sandbox may not do."""

    def __init__(self, audit: AuditPlace, reserve: str, sandbox: str, principal: str, host: str = HOST) -> None:
        """Keep where to write, whose they are, and who writes them."""
        self.tell: Callable[[Event], None] | None = None
        """Hears of each record that was written, as sinks are to see it."""
        self._audit = audit
        self._reserve = reserve
        self._sandbox = sandbox
        self._host = host
        self.principal = principal
        """Whose it is at present."""
        self._patterns = Patterns()
        self._seen: dict[str, _Seen] = {}
        self._until = 0.0
        self._written: Counter[str] = Counter()
        """Records of each severity."""
        self._rules: set[str] = set()
        """Those of which there is a record."""
        self._dropped = self._lost = 0

    def take(self, told: dict[str, object]) -> str:
        """Write a violation down, or count it; gives what is to be done about it: nothing yet, by any rule."""
        now = time.monotonic()
        self._expire(now)
        rule = rule_of(told)
        times = told.get("times", 1)
        assert isinstance(times, int)  # noqa: S101 - whoever tells counts
        key = dumps([rule.id, *(told.get(name) for name in ("run", "what", "arguments", "program", "errno"))])
        seen = self._seen.get(key)
        if seen is None:
            self._seen[key] = _Seen(now + AGAIN, {**told, "pid": 0, "pid_inside": 0})
            self._bounded(told, rule, times)
        else:
            seen.times += times
        for pattern in self._patterns.add(now, rule.id, rule.severity, told, times):
            self.anomaly(pattern, told)
        return ""

    def anomaly(self, pattern: "Pattern", told: "Mapping[str, object]") -> None:
        """Write down that several made a pattern; `told` is the last of them."""
        said = told.get("arguments")
        known: Mapping[str, object] = cast("Mapping[str, object]", said) if isinstance(said, dict) else {}
        arguments = {pattern.within: known[pattern.within]} if pattern.within in known else {}
        row: dict[str, object] = {
            "source": "anomaly",
            "what": pattern.id,
            "run": told.get("run", ""),
            "arguments": arguments,
        }
        self._write(row, pattern, 1)

    def tick(self) -> bool:
        """Write how often there was the same again, where its time is over; False once there is nothing to wait for."""
        self._expire(time.monotonic())
        return bool(self._seen or self._dropped or self._lost)

    def close(self) -> None:
        """Write what is still only counted."""
        self._expire(time.monotonic() + AGAIN)

    def _expire(self, now: float) -> None:
        if now >= self._until:
            self._until, dropped, self._dropped = now + AGAIN, self._dropped, 0
            self._written.clear()
            self._rules.clear()
            if dropped:
                self._write({"source": "anomaly", "what": FLOOD.id}, FLOOD, dropped)
        over = [key for key, seen in self._seen.items() if seen.until <= now]
        for seen in [self._seen.pop(key) for key in over]:
            if seen.times:
                self._bounded(seen.told, rule_of(seen.told), seen.times)

    def _bounded(self, told: dict[str, object], rule: Rule, times: int) -> None:
        if self._written[rule.severity] >= MOST and rule.id in self._rules:
            self._dropped += times
            return
        self._written[rule.severity] += 1
        self._rules.add(rule.id)
        self._write(told, rule, times)

    def _write(self, told: dict[str, object], rule: "Rule | Pattern", times: int) -> None:
        data: dict[str, object] = {
            "id": f"v{os.urandom(6).hex()}",
            "sandbox": self._sandbox,
            "severity": rule.severity,
            "rule": rule.id,
            "means": rule.means,
            "source": told["source"],
            "what": told["what"],
            "arguments": told.get("arguments", {}),
            "pid": told.get("pid", 0),
            "pid_inside": told.get("pid_inside", 0),
            "program": str(told.get("program", ""))[:_LONGEST],
            "errno": told.get("errno", ""),
            "why": told.get("why", ""),
            "grant": told.get("grant", ""),
            "hint": bool(told.get("hint", False)),
            "times": times,
        }
        if self._lost:
            data["lost"] = self._lost
        run = str(told.get("run", ""))
        try:
            line = f"{start(KIND, run, self.principal, self._host, [])},{members(data)}}}"
            append_once(self._audit, line, self._reserve)
        except (AuditError, OSError):
            self._lost += 1  # the call was refused all the same; the next record says how many have none
            return
        self._lost = 0
        if self.tell is not None:
            self.tell(Event(KIND, time.time(), {"run": run, "principal": self.principal, **data}))

    def sink_failed(self, name: str, error: Exception) -> None:
        """Write down that a sink hears nothing, as far as that can be."""
        data: dict[str, object] = {"sink": name, "reason": f"{type(error).__name__}: {error}"[:_LONGEST]}
        with suppress(AuditError, OSError):
            line = f"{start(f'{KIND}.sink', self._sandbox, self.principal, self._host, [])},{members(data)}}}"
            append_once(self._audit, line, self._reserve)
