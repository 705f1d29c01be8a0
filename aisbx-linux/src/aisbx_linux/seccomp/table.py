"""The table of system-call groups, read from `groups.toml`."""

import errno
import pkgutil
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TypedDict, cast

from aisbx.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Group:
    """A named set of calls that are allowed together; `includes` names further groups."""

    name: str
    help: str
    calls: frozenset[str] = frozenset()
    includes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Denied:
    """A call that is refused unless an optional group allows it; `errno` is its name (`EPERM`, `ENOSYS`)."""

    call: str
    errno: str
    reason: str

    @property
    def number(self) -> int:
        """The errno as the kernel counts it."""
        return int(getattr(errno, self.errno))


class _GroupRow(TypedDict, total=False):
    help: str
    calls: str
    includes: list[str]


class _DeniedRow(TypedDict):
    errno: str
    reason: str
    calls: str


class _Table(TypedDict):
    reviewed: int
    groups: dict[str, _GroupRow]
    denied: list[_DeniedRow]
    numbers: dict[str, dict[str, int]]


# Its bytes go into the key of every cached filter: another table, another filter.
SOURCE = pkgutil.get_data("aisbx_linux.seccomp", "groups.toml") or b""
_TABLE = cast("_Table", tomllib.loads(SOURCE.decode()))

REVIEWED = _TABLE["reviewed"]
"""The highest call number that the table has an opinion on; later calls are refused with ENOSYS."""

GROUPS: Mapping[str, Group] = {
    name: Group(name, row.get("help", ""), frozenset(row.get("calls", "").split()), frozenset(row.get("includes", ())))
    for name, row in _TABLE["groups"].items()
}

DENIED: Mapping[str, Denied] = {
    call: Denied(call, row["errno"], row["reason"]) for row in _TABLE["denied"] for call in row["calls"].split()
}


def late_numbers(arch: str) -> Mapping[str, int]:
    """Give name → number of calls on `arch` that the libseccomp in use may be too old to know."""
    numbers = _TABLE["numbers"]
    return {**numbers["all"], **numbers.get(arch, {})}


def expand(groups: Collection[str]) -> frozenset[str]:
    """Give the names of `groups` and of all that they include; ConfigError for a name that is not in the table."""
    found: set[str] = set()
    todo = list(groups)
    while todo:
        name = todo.pop()
        if name not in GROUPS:
            raise ConfigError(
                f"there is no system-call group {name!r}",
                key="syscalls",
                hint=f"name some of: {', '.join(sorted(GROUPS))}",
            )
        if name not in found:
            found.add(name)
            todo.extend(GROUPS[name].includes)
    return frozenset(found)


def allowed_calls(groups: Collection[str]) -> frozenset[str]:
    """Give the calls that a filter of `groups` allows, if only with some arguments."""
    return frozenset(call for name in expand(groups) for call in GROUPS[name].calls)
