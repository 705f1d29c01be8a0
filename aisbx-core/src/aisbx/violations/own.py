"""The rules of a profile about violations, and what it wants done. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import cast

from aisbx.types import REACTIONS, Detection, Reaction
from aisbx.violations.patterns import Pattern, Patterns
from aisbx.violations.severity import SEVERITIES, as_grave

_FIRST, _FITS = "first", "fits"
Row = Mapping[str, object]
"""A violation, as it is recorded."""


class Own:
    """The rules of one profile, and what was told in one sandbox."""

    def __init__(self, detections: Iterable[Detection]) -> None:
        """Nothing has been told yet."""
        self._rules = [(each, Patterns([_pattern(each)])) for each in detections]
        self.ids = frozenset(each.id for each, _ in self._rules)

    def add(self, now: float, row: Row, times: int = 1) -> Iterator[Pattern]:
        """Take one more violation, at a time in seconds, and give the rules it completes, each once in its time."""
        severity = str(row.get("severity", ""))
        for detection, patterns in self._rules:
            if fits(detection, row):
                yield from patterns.add(now, _FITS, severity, row, times)
            if detection.first and row.get("rule") == detection.first:
                for _ in patterns.add(now, _FIRST, severity, row):
                    pass  # such a one completes nothing, and is only remembered


def fits(detection: Detection, row: Row) -> bool:
    """Tell whether a rule is about a violation."""
    if detection.rules and row.get("rule") not in detection.rules:
        return False
    if detection.source and row.get("source") != detection.source:
        return False
    if detection.what and not _any(row.get("what"), detection.what):
        return False
    said = row.get("arguments")
    known: Row = cast("Row", said) if isinstance(said, Mapping) else {}
    return all(name in known and _any(known[name], patterns) for name, patterns in detection.arguments)


def wanted(reactions: Iterable[Reaction], rule: str, severity: str) -> tuple[str, ...]:
    """Give what is to be done about a violation: what its rule says, else what its severity and lesser ones do."""
    by_rule = [each for each in reactions if each.on == rule]
    grave = [each for each in reactions if each.on in SEVERITIES and as_grave(severity, each.on)]
    done = {do for each in by_rule or grave for do in each.do}
    return tuple(do for do in REACTIONS if do in done)


def _any(value: object, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(str(value), pattern) for pattern in patterns)


def _pattern(detection: Detection) -> Pattern:
    return Pattern(
        detection.id,
        detection.severity,
        detection.means,
        detection.seconds,
        detection.count,
        distinct=detection.distinct,
        within=detection.within,
        first=_FIRST if detection.first else "",
        rules=frozenset({_FITS}),
    )
