"""What is installed, as its metadata says; nothing of a plugin is imported here.

An entry point's group is the kind and its name is the plugin's name (Entry points specification, PyPA).
"""

import os
import re
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from aisbx.errors import PluginBrokenError
from aisbx.inputs import Inputs
from aisbx.plan.known import known

if TYPE_CHECKING:
    from importlib.metadata import Distribution, EntryPoint

KINDS: Mapping[str, str] = {
    "driver": "aisbx.drivers",
    "profile": "aisbx.profiles",
    "auth": "aisbx.auth",
    "transport": "aisbx.transports",
    "policy": "aisbx.policies",
    "secrets": "aisbx.secrets",
    "sink": "aisbx.sinks",
    "egress": "aisbx.egress",
    "command": "aisbx.commands",
    "tool": "aisbx.tools",
    "prompt": "aisbx.prompts",
    "resource": "aisbx.resources",
    "check": "aisbx.checks",
}
"""kind → entry-point group. From `command` on they name plain objects, the others modules with a hook."""

_READ: Mapping[str, tuple[str, ...]] = {
    ".dist-info": ("METADATA", "PKG-INFO", "entry_points.txt"),
    ".egg-info": ("", "PKG-INFO", "entry_points.txt"),
    ".egg": ("", "EGG-INFO", "EGG-INFO/PKG-INFO", "EGG-INFO/entry_points.txt"),
}
"""What may be read of a distribution, by the end of its name; "": it may be a file itself."""
_KIND_OF_GROUP = {group: kind for kind, group in KINDS.items()}


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """One row of the table: `value` is the entry point's `module[:attribute]`; `reason` says why not usable."""

    kind: str
    name: str
    distribution: str
    version: str
    value: str
    usable: bool = True
    reason: str = ""


def read_table(allow: Collection[str] | None, disabled: Collection[str], cache: str = "") -> list[PluginInfo]:
    """Give every plugin that is installed, by kind (in the order of `KINDS`), name and distribution.

    `allow` names the distributions that may be loaded (None: all). `disabled` names distributions, plugins
    (`bwrap`) or plugins of one kind (`driver:bwrap`). Those that are left out stay in the table, with the reason.
    Usable here means not left out; only `mark_conflicts` looks at the rows together. In the directory `cache` is kept
    what the metadata says, until any of it changes.
    """
    allowed = None if allow is None else {_normalise(name) for name in allow}
    off = {entry.strip() for entry in disabled if entry.strip()}
    off_distributions = {_normalise(entry) for entry in off}
    rows: list[PluginInfo] = []
    for row in _known(cache) if cache and _plain() else _installed():
        reason = ""
        if {row.name, f"{row.kind}:{row.name}"} & off or _normalise(row.distribution) in off_distributions:
            reason = "disabled by AISBX_DISABLE_PLUGINS"
        elif allowed is not None and _normalise(row.distribution) not in allowed:
            reason = f"{row.distribution} is not in the list plugins.allow of your settings"
        rows.append(replace(row, usable=not reason, reason=reason))
    order = list(KINDS)
    return sorted(rows, key=lambda row: (order.index(row.kind), row.name, row.distribution))


def _known(cache: str) -> Iterator[PluginInfo]:
    def read(looked: Inputs) -> list[tuple[str, ...]]:
        for path in sys.path:
            _note(path, looked)
        return [(row.kind, row.name, row.distribution, row.version, row.value) for row in _installed()]

    rows = cast("list[tuple[str, str, str, str, str]]", known(cache, f"plugins {sys.path!r}", read))
    return (PluginInfo(*row) for row in rows)


def _plain() -> bool:
    """Tell whether distributions are found on `sys.path` only; what another finder looks at nobody knows."""
    finders = [finder for finder in sys.meta_path if hasattr(finder, "find_distributions")]
    return [getattr(finder, "__name__", "") for finder in finders] == ["PathFinder"]


def _note(directory: str, looked: Inputs) -> None:
    """Note whatever `importlib.metadata` may read of the distributions in a directory of `sys.path`, or an archive."""
    looked.note(directory or ".")
    try:
        names = os.listdir(directory or ".")
    except OSError:
        return
    for name in names:
        for file in next((files for suffix, files in _READ.items() if name.endswith(suffix)), ()):
            looked.note(os.path.join(directory, name, file))


def _installed() -> Iterator[PluginInfo]:
    """Walk `sys.path` as an import does: of one distribution's several metadata the first counts.

    An editable install beside a stale `.dist-info`, or one copy in the user's site and one in the environment,
    is still one distribution, so it is never in conflict with itself.
    """
    from importlib import metadata  # with `email`: as long as two sandboxes

    seen: set[str] = set()
    for found in metadata.distributions():
        name, version = _name_and_version(found)
        if not name or _normalise(name) in seen:
            continue
        seen.add(_normalise(name))
        for point in _points(found, name):
            kind = _KIND_OF_GROUP.get(point.group)
            if kind:
                yield PluginInfo(kind, point.name, name, version, point.value)


def _name_and_version(found: "Distribution") -> tuple[str, str]:
    """Give both from the head of METADATA; no name for what an interrupted uninstall left behind.

    `found.metadata` parses the whole file as an e-mail, the README in it included: 1 ms for each distribution.
    """
    text = found.read_text("METADATA") or found.read_text("PKG-INFO") or found.read_text("") or ""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        if not line:  # the end of the fields (Core metadata specifications, PyPA)
            break
        key, colon, value = line.partition(":")
        if colon:
            fields.setdefault(key.lower(), value.strip())
    return fields.get("name", ""), fields.get("version") or "?"


def _points(found: "Distribution", name: str) -> "list[EntryPoint]":
    """Give a distribution's entry points, each once; PluginBrokenError where its file is malformed."""
    try:
        return list(dict.fromkeys(found.entry_points))
    except (TypeError, ValueError) as error:
        raise PluginBrokenError(
            f"entry_points.txt of the distribution {name} cannot be read", hint=f"reinstall or uninstall {name}"
        ) from error


def mark_conflicts(rows: list[PluginInfo]) -> list[PluginInfo]:
    """Mark the usable rows that share kind and name: which of them would be loaded would be chance."""
    offered: dict[tuple[str, str], list[PluginInfo]] = {}
    for row in rows:
        if row.usable:
            offered.setdefault((row.kind, row.name), []).append(row)
    return [
        replace(row, usable=False, reason=f"{conflict(rivals)}; disable or uninstall one")
        if row.usable and len(rivals := offered[row.kind, row.name]) > 1
        else row
        for row in rows
    ]


def conflict(rivals: list[PluginInfo]) -> str:
    """Say which distributions offer one name."""
    by = " and ".join(f"{row.distribution} {row.version}" for row in rivals)
    return f"the {rivals[0].kind} {rivals[0].name!r} is offered by {by}"


def _normalise(name: str) -> str:
    """Normalise a distribution's name (Names and normalization specification, PyPA)."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()
