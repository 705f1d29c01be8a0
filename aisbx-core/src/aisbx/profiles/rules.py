"""Lists of network rules: `[deny ]HOST[:PORT][ METHOD[|METHOD…]][ /PATH[*]]`, or `@INDEX` for those of a package index.

What a list decides (docs/network.md): a `deny` that fits refuses; of the others that cover host and port the most
specific ones decide, by method and path. So lists are combined destination by destination: `union` allows what either
list does and neither denies, `intersection` what both do. For plain rules alone this is `aisbx.profiles.hosts`.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from aisbx.profiles import hosts
from aisbx.profiles.indexes import INDEXES

_METHOD = re.compile(r"[A-Z]{1,20}", re.ASCII)
_PATH = re.compile(r"/[!-)+-~]*\*?", re.ASCII)
# Servers read these in several ways, so that no rule can mean one of them.
_UNCLEAR = re.compile(
    r"%(?:00|2[1-9a-f]|[3-6][0-9a-f]|7[0-9a-e])|[\\;?#]|//|(?:^|/)\.{1,2}(?:/|$)", re.ASCII | re.IGNORECASE
)
_HINT = "[deny ]HOST[:PORT][ METHOD|…][ /PATH]"


@dataclass(frozen=True, slots=True)
class Condition:
    """What is asked of a request besides where it goes: no methods and no path mean any."""

    methods: frozenset[str] = frozenset()
    path: str = ""
    """One that ends in `*` is all that begins so."""

    def covers(self, other: "Condition") -> bool:
        """Tell whether every request that fits `other` fits this."""
        return (not self.methods or (bool(other.methods) and other.methods <= self.methods)) and (
            _common_path(self.path, other.path) == other.path
        )

    def common(self, other: "Condition") -> "Condition | None":
        """Give what fits both; None where nothing does."""
        both = self.methods & other.methods if self.methods and other.methods else self.methods | other.methods
        path = _common_path(self.path, other.path)
        if path is None or (self.methods and other.methods and not both):
            return None
        return Condition(both, path)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: where, what is asked for besides, and whether it refuses."""

    place: hosts.Rule
    condition: Condition = Condition()
    denies: bool = False

    @property
    def plain(self) -> bool:
        """Whether it is one of `aisbx.profiles.hosts`."""
        return not self.denies and self.condition == Condition()

    def __str__(self) -> str:
        words = ("deny" * self.denies, str(self.place), "|".join(sorted(self.condition.methods)), self.condition.path)
        return " ".join(filter(None, words))


_Table = Mapping[hosts.Rule, frozenset[Condition]]


def parse(text: str) -> Rule:
    """Read a rule; ValueError for what is not one."""
    words = text.split(" ")
    denies = words[0] == "deny"
    place, *asked = (words[1:] or [""]) if denies else words
    methods = asked.pop(0) if asked and not asked[0].startswith("/") else ""
    path = asked.pop(0) if asked else ""
    several = frozenset(methods.split("|")) if methods else frozenset[str]()
    if asked or (path and not path.startswith("/")):
        raise ValueError(f"{text!r} is not {_HINT}")
    if not all(_METHOD.fullmatch(method) for method in several):
        raise ValueError(f"{text!r} is not {_HINT}: a method is written in capital letters")
    if path and (not _PATH.fullmatch(path) or _UNCLEAR.search(path)):
        raise ValueError(f"{text!r} is not {_HINT}: {path!r} is not a plain path")
    return Rule(hosts.parse(place), Condition(several, path), denies)


def spelled(texts: Iterable[str]) -> tuple[str, ...]:
    """Give rules in their one spelling, those of indexes in the place of these; ValueError for what is neither."""
    return tuple(dict.fromkeys(str(parse(rule)) for text in texts for rule in expanded(text)))


def expanded(text: str) -> tuple[str, ...]:
    """Give the rules of an `@INDEX`, any other text as it is; ValueError where there is no such index."""
    if not text.startswith("@"):
        return (text,)
    if text[1:] not in INDEXES:
        known = ", ".join(f"@{name}" for name in INDEXES)
        raise ValueError(f"{text!r} is not {_HINT}: of package indexes there are {known}")
    return INDEXES[text[1:]]


def denials(texts: Iterable[str]) -> tuple[str, ...]:
    """Give those of some rules that refuse."""
    return tuple(text for text in texts if text.startswith("deny "))


def union(*lists: Iterable[str]) -> tuple[str, ...]:
    """Give rules, sorted, that allow what any of the lists allows and none of them denies."""
    several = [[parse(text) for text in rules] for rules in lists]
    if all(rule.plain for rules in several for rule in rules):
        return hosts.union(*lists)
    found = several[0]
    for other in several[1:]:
        found = _combined(found, other, lambda a, b: a | b)
    return _texts(found)


def intersection(one: Iterable[str], other: Iterable[str]) -> tuple[str, ...]:
    """Give rules, sorted, that allow what both lists allow."""
    one, other = list(one), list(other)
    a, b = [parse(text) for text in one], [parse(text) for text in other]
    if all(rule.plain for rule in (*a, *b)):
        return hosts.intersection(one, other)
    return _texts(_combined(a, b, _common))


def included(narrow: Iterable[str], wide: Iterable[str]) -> bool:
    """Tell whether all that `narrow` allows is allowed by `wide`, as far as single rules show it."""
    narrow, wide = list(narrow), list(wide)
    a, b = [parse(text) for text in narrow], [parse(text) for text in wide]
    if all(rule.plain for rule in (*a, *b)):
        return hosts.included(narrow, wide)
    mine, theirs = _table(a), _table(b)
    for place in _places(mine, theirs):
        if any(rule.denies and rule.condition == Condition() and hosts.covers(rule.place, place) for rule in a):
            continue
        limits = _deciding(theirs, place)
        if not all(any(limit.covers(asked) for limit in limits) for asked in _deciding(mine, place)):
            return False
    return all(_heeded(rule, a) for rule in b if rule.denies)


def _heeded(denial: Rule, rules: list[Rule]) -> bool:
    """Tell whether a list denies what `denial` does, or allows nothing of it."""
    if any(
        rule.denies and hosts.covers(rule.place, denial.place) and rule.condition.covers(denial.condition)
        for rule in rules
    ):
        return True
    return not any(
        hosts.common(rule.place, denial.place) and rule.condition.common(denial.condition)
        for rule in rules
        if not rule.denies
    )


def _combined(
    a: list[Rule], b: list[Rule], both: Callable[[frozenset[Condition], frozenset[Condition]], frozenset[Condition]]
) -> list[Rule]:
    """Combine two lists at each destination that either tells from others; what either denies stays denied."""
    mine, theirs = _table(a), _table(b)
    table = {place: both(_deciding(mine, place), _deciding(theirs, place)) for place in _places(mine, theirs)}
    denies = {rule for rule in (*a, *b) if rule.denies}
    allowed = {place: conditions for place, conditions in table.items() if conditions}
    # Where nothing is left, a wider rule must not decide instead. (Rules within are denied too: narrower, never wider.)
    denies |= {Rule(place, denies=True) for place in table.keys() - allowed.keys() if _deciding(allowed, place)}
    return [*_reduced(allowed), *denies]


def _table(rules: Iterable[Rule]) -> dict[hosts.Rule, frozenset[Condition]]:
    found: dict[hosts.Rule, frozenset[Condition]] = {}
    for rule in rules:
        if not rule.denies:
            found[rule.place] = found.get(rule.place, frozenset()) | {rule.condition}
    return found


def _places(*tables: _Table) -> list[hosts.Rule]:
    """Give every destination in which rules decide alike: what they name, and what two of those have in common."""
    named = {place for table in tables for place in table}
    return sorted({common for a in named for b in named if (common := hosts.common(a, b))}, key=_specificity)


def _deciding(table: _Table, place: hosts.Rule) -> frozenset[Condition]:
    about = [each for each in table if hosts.covers(each, place)]
    return table[max(about, key=_specificity)] if about else frozenset()


def _specificity(place: hosts.Rule) -> tuple[bool, int, bool, str]:
    wild = place.host.startswith(".")
    return not wild, len(place.host) if wild else 0, bool(place.port), str(place)


def _common(a: frozenset[Condition], b: frozenset[Condition]) -> frozenset[Condition]:
    return frozenset(found for one in a for other in b if (found := one.common(other)))


def _reduced(table: dict[hosts.Rule, frozenset[Condition]]) -> list[Rule]:
    """Give the rules of a table without those that change nothing."""
    table = {place: _widest(conditions) for place, conditions in table.items()}
    places = _places(table)
    for place in reversed(places):
        if place in table:
            rest = {key: value for key, value in table.items() if key != place}
            within = [each for each in places if hosts.covers(place, each)]
            if all(_deciding(rest, each) == _deciding(table, each) for each in within):
                table = rest
    return [Rule(place, condition) for place, conditions in table.items() for condition in conditions]


def _widest(conditions: frozenset[Condition]) -> frozenset[Condition]:
    return frozenset(one for one in conditions if not any(other != one and other.covers(one) for other in conditions))


def _common_path(a: str, b: str) -> str | None:
    if not a or not b:
        return a or b
    for wide, narrow in ((a, b), (b, a)):
        if wide == narrow or (wide.endswith("*") and narrow.startswith(wide[:-1])):
            return narrow
    return None


def _texts(rules: Iterable[Rule]) -> tuple[str, ...]:
    return tuple(sorted({str(rule) for rule in rules}))
