"""What several violations of one sandbox mean together: bursts, scans, and sequences. Pure."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from aisbx.violations.severity import SEVERITIES

_REMEMBERED = 512
"""Violations of a sandbox that are looked at together, at most: the newest."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """Something that `count` violations mean that come within `seconds`."""

    id: str
    severity: str
    means: str
    seconds: float
    count: int = 1
    source: str = ""
    """Of those that count; empty for any."""
    at_least: int = 0
    """The place in `SEVERITIES` from which on one counts."""
    distinct: str = ""
    """Not how many there are is counted, but how many values of this: `what`, or one of these arguments (`a|b`)."""
    within: str = ""
    """Only those with the same value of this argument count together."""
    first: str = ""
    """The id of a rule: what counts is preceded by one of that rule."""
    rules: frozenset[str] = frozenset()
    """The ids of the rules of those that count; empty for any."""


@dataclass(slots=True)
class _Seen:
    at: float
    rule: str
    severity: int
    source: str
    told: Mapping[str, object]
    times: int

    def value(self, names: str) -> object:
        """Give what is counted: a member, or the first of some arguments that there is; None for none."""
        if names == "what":
            return self.told.get("what")
        said = self.told.get("arguments")
        known: Mapping[str, object] = cast("Mapping[str, object]", said) if isinstance(said, Mapping) else {}
        return next((known[name] for name in names.split("|") if name in known), None)


class Patterns:
    """Those that are looked for in one sandbox."""

    def __init__(self, known: Iterable[Pattern]) -> None:
        """Nothing has been told yet."""
        self._known = tuple(known)
        self._seen: deque[_Seen] = deque(maxlen=_REMEMBERED)
        self._quiet: dict[str, float] = {}
        self._longest = max((pattern.seconds for pattern in self._known), default=0.0)

    def add(
        self, now: float, rule: str, severity: str, told: Mapping[str, object], times: int = 1
    ) -> Iterator[Pattern]:
        """Take one more, at a time in seconds, and give the patterns that it completes, each once in its time."""
        grave = SEVERITIES.index(severity) if severity in SEVERITIES else 0
        last = _Seen(now, rule, grave, str(told.get("source", "")), told, times)
        self._seen.append(last)
        while self._seen[0].at < now - self._longest:
            self._seen.popleft()
        for pattern in self._known:
            if self._quiet.get(pattern.id, 0.0) <= now and _counts(pattern, last) and self._met(pattern, last):
                self._quiet[pattern.id] = now + pattern.seconds
                yield pattern

    def _met(self, pattern: Pattern, last: _Seen) -> bool:
        recent = [one for one in self._seen if one.at >= last.at - pattern.seconds]
        if pattern.first:
            before = [one.at for one in recent if one.rule == pattern.first and one is not last]
            if not before:
                return False
            recent = [one for one in recent if one.at >= before[0]]
        found = [one for one in recent if _counts(pattern, one)]
        if pattern.within:
            group = last.value(pattern.within)
            found = [one for one in found if one.value(pattern.within) == group]
        if pattern.distinct:
            return len({str(value) for one in found if (value := one.value(pattern.distinct)) is not None}) >= (
                pattern.count
            )
        return sum(one.times for one in found) >= pattern.count


def _counts(pattern: Pattern, one: _Seen) -> bool:
    return (
        one.severity >= pattern.at_least
        and pattern.source in {"", one.source}
        and (not pattern.rules or one.rule in pattern.rules)
    )
