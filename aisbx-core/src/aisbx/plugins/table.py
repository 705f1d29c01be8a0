"""What is installed, as its metadata says; nothing of a plugin is imported here.

An entry point's group is the kind and its name is the plugin's name (Entry points specification, PyPA).
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import metadata

from aisbx.errors import PluginBrokenError

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
}
"""kind → entry-point group. `command` and `tool` name plain objects, the others modules with a hook."""

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


def read_table(allow: Collection[str] | None, disabled: Collection[str]) -> list[PluginInfo]:
    """Give every plugin that is installed, by kind (in the order of `KINDS`), name and distribution.

    `allow` names the distributions that may be loaded (None: all). `disabled` names distributions, plugins
    (`bwrap`) or plugins of one kind (`driver:bwrap`). Those that are left out stay in the table, with the reason.
    Usable here means not left out; only `mark_conflicts` looks at the rows together.
    """
    allowed = None if allow is None else {_normalise(name) for name in allow}
    off = {entry.strip() for entry in disabled if entry.strip()}
    off_distributions = {_normalise(entry) for entry in off}
    rows: list[PluginInfo] = []
    for row in _installed():
        reason = ""
        if {row.name, f"{row.kind}:{row.name}"} & off or _normalise(row.distribution) in off_distributions:
            reason = "disabled by AISBX_DISABLE_PLUGINS"
        elif allowed is not None and _normalise(row.distribution) not in allowed:
            reason = f"{row.distribution} is not in the list plugins.allow of your settings"
        rows.append(replace(row, usable=not reason, reason=reason))
    order = list(KINDS)
    return sorted(rows, key=lambda row: (order.index(row.kind), row.name, row.distribution))


def _installed() -> Iterator[PluginInfo]:
    """Walk `sys.path` as an import does: of one distribution's several metadata the first counts.

    An editable install beside a stale `.dist-info`, or one copy in the user's site and one in the environment,
    is still one distribution, so it is never in conflict with itself.
    """
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


def _name_and_version(found: metadata.Distribution) -> tuple[str, str]:
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


def _points(found: metadata.Distribution, name: str) -> list[metadata.EntryPoint]:
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
