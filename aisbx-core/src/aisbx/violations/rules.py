"""Which rule fits a violation, and which pattern several make. The rules are data: `rules.toml`."""

import pkgutil
import tomllib
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, cast

SEVERITIES = ("info", "low", "medium", "high", "critical")
"""From the least on."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What a violation means; `severity` is one of `SEVERITIES`."""

    id: str
    severity: str
    means: str
    calls: frozenset[str] = frozenset()
    """Of what it is the rule; `*` for any."""
    errno: str = ""
    arguments: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    """Argument → its values, as they are told."""

    def fits(self, told: Mapping[str, object]) -> bool:
        """Tell whether this is its rule."""
        if not (told.get("what") in self.calls or "*" in self.calls):
            return False
        if self.errno and told.get("errno") != self.errno:
            return False
        said = told.get("arguments")
        known: Mapping[str, object] = cast("Mapping[str, object]", said) if isinstance(said, dict) else {}
        return all(known.get(name) in values for name, values in self.arguments.items())


@dataclass(frozen=True, slots=True)
class Pattern:
    """Something that several violations mean, within `seconds`."""

    kind: str
    """`burst`, `distinct` or `sequence`."""
    rule: Rule
    seconds: float
    count: int = 0
    least: int = 0
    """The place in `SEVERITIES` from which on a violation counts."""
    first: str = ""
    then: frozenset[str] = frozenset()


@cache
def _table() -> dict[str, list[dict[str, Any]]]:
    return tomllib.loads((pkgutil.get_data("aisbx.violations", "rules.toml") or b"").decode())


@cache
def rules() -> tuple[Rule, ...]:
    """Give all, in their order."""
    return tuple(
        Rule(
            row["id"],
            row["severity"],
            row["means"],
            frozenset(row["calls"].split()),
            row.get("errno", ""),
            {name: frozenset(values) for name, values in row.get("arguments", {}).items()},
        )
        for row in _table()["rule"]
    )


@cache
def patterns() -> tuple[Pattern, ...]:
    """Give what is looked for over several."""
    return tuple(
        Pattern(
            kind,
            Rule(row["id"], row["severity"], row["means"]),
            row["seconds"],
            row.get("count", 0),
            SEVERITIES.index(row.get("at_least", "info")),
            row.get("first", ""),
            frozenset(row.get("then", "").split()),
        )
        for kind in ("burst", "distinct", "sequence")
        for row in _table()[kind]
    )


def rule_of(told: Mapping[str, object]) -> Rule:
    """Give the rule of what was told; there is one for everything."""
    return next(rule for rule in rules() if rule.fits(told))


def meaning(name: str) -> str:
    """Say what a rule or pattern means; empty where there is none of that name."""
    known = (*rules(), *(pattern.rule for pattern in patterns()))
    return next((rule.means for rule in known if rule.id == name), "")


class Patterns:
    """What several violations of one sandbox make."""

    def __init__(self) -> None:
        """Nothing has been told yet."""
        self._seen: deque[tuple[float, Rule, str, int]] = deque()
        self._quiet: dict[str, float] = {}
        self._longest = max(pattern.seconds for pattern in patterns())

    def add(self, now: float, rule: Rule, what: str, times: int) -> Iterator[Rule]:
        """Take one more, at a time in seconds, and give the patterns that it completes."""
        self._seen.append((now, rule, what, times))
        while self._seen[0][0] < now - self._longest:
            self._seen.popleft()
        for pattern in patterns():
            if self._quiet.get(pattern.rule.id, 0.0) <= now and self._met(pattern, now, rule):
                self._quiet[pattern.rule.id] = now + pattern.seconds
                yield pattern.rule

    def _met(self, pattern: Pattern, now: float, last: Rule) -> bool:
        recent = [row for row in self._seen if row[0] >= now - pattern.seconds]
        if pattern.kind == "sequence":
            return last.id in pattern.then and any(rule.id == pattern.first for _, rule, _, _ in recent)
        if SEVERITIES.index(last.severity) < pattern.least:
            return False
        counted = [row for row in recent if SEVERITIES.index(row[1].severity) >= pattern.least]
        if pattern.kind == "distinct":
            return len({what for _, _, what, _ in counted}) >= pattern.count
        return sum(times for *_, times in counted) >= pattern.count
