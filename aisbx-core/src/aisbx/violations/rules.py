"""Which rule fits a violation. The rules are data: `rules.toml`, `patterns.toml`, and those of profiles (`own`)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, cast

from aisbx.violations.patterns import Pattern
from aisbx.violations.patterns import Patterns as _Patterns
from aisbx.violations.severity import SEVERITIES

__all__ = ["SEVERITIES", "Patterns", "Rule", "meaning", "patterns", "rule_of", "rules"]


@dataclass(frozen=True, slots=True)
class Rule:
    """What a violation means; `severity` is one of `SEVERITIES`."""

    id: str
    severity: str
    means: str
    what: frozenset[str] = frozenset()
    """Of what it is the rule; `*` for any."""
    source: str = "syscall"
    errno: str = ""
    arguments: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    """Argument → its values, as they are told."""

    def fits(self, told: Mapping[str, object]) -> bool:
        """Tell whether this is its rule."""
        if told.get("source") != self.source or not (told.get("what") in self.what or "*" in self.what):
            return False
        if self.errno and told.get("errno") != self.errno:
            return False
        said = told.get("arguments")
        known: Mapping[str, object] = cast("Mapping[str, object]", said) if isinstance(said, dict) else {}
        return all(known.get(name) in values for name, values in self.arguments.items())


@cache
def _table(name: str) -> list[dict[str, Any]]:
    import pkgutil  # who counts records may never meet a violation
    import tomllib

    return tomllib.loads((pkgutil.get_data("aisbx.violations", f"{name}s.toml") or b"").decode())[name]


@cache
def rules() -> tuple[Rule, ...]:
    """Give all, in their order."""
    return tuple(
        Rule(
            row["id"],
            row["severity"],
            row["means"],
            frozenset(row["what"].split()),
            row.get("source", "syscall"),
            row.get("errno", ""),
            {name: frozenset(values) for name, values in row.get("arguments", {}).items()},
        )
        for row in _table("rule")
    )


@cache
def patterns() -> tuple[Pattern, ...]:
    """Give what is looked for over several."""
    return tuple(
        Pattern(
            row["id"],
            row["severity"],
            row["means"],
            row["seconds"],
            row.get("count", 1),
            source=row.get("source", ""),
            at_least=SEVERITIES.index(row.get("at_least", "info")),
            distinct=row.get("distinct", ""),
            within=row.get("within", ""),
            first=row.get("first", ""),
            rules=frozenset(row.get("rules", "").split()),
        )
        for row in _table("pattern")
    )


def rule_of(told: Mapping[str, object]) -> Rule:
    """Give the rule of what was told; there is one for everything of each source."""
    return next((rule for rule in rules() if rule.fits(told)), _OTHER)


_OTHER = Rule("other", "low", "was refused something that no rule is about")
"""Of a source that is of a later version."""


def meaning(name: str) -> str:
    """Say what a rule or pattern means; empty where there is none of that name."""
    known = (*rules(), *patterns())
    return next((rule.means for rule in known if rule.id == name), "")


class Patterns(_Patterns):
    """What several violations of one sandbox make, by the patterns that everybody has."""

    def __init__(self) -> None:
        """Nothing has been told yet."""
        super().__init__(patterns())
