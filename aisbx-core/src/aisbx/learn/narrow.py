"""From a profile and the evidence of one run to the narrowest profile that covers it. Pure, but for looks at files.

What the run may have is taken from the base alone, with two exceptions, each with its evidence: hosts that were asked
for, and groups of system calls that give nothing but facts about the sandbox itself.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aisbx import caches
from aisbx.learn.evidence import LOOK, RUN, WRITE, Evidence, together
from aisbx.learn.files import asked_for, mounted
from aisbx.learn.learned import Granted, Learned, Never
from aisbx.learn.network import reached
from aisbx.places import within
from aisbx.toolchains import Toolchain
from aisbx.types import LIMITS, Limit, LimitStrength, Profile, SandboxSpec, Secret, WorkspaceMode
from aisbx.units import format_duration, format_size

__all__ = ["Base", "Granted", "Learned", "Never", "narrow"]

HARMLESS_GROUPS = frozenset({"netlink-route", "sanitizers"})
"""Groups that are granted because they were asked for: of the sandbox's own interfaces and addresses."""
_PROGRAMS: Mapping[str, str] = {
    "go": r"go|gofmt",
    "java": r"java[cdp]?|jar|jshell|mvn|gradle",
    "node": r"node(js)?|npm|npx|corepack|yarn|pnpm",
    "python": r"python[0-9.]*|pip[0-9.]*",
    "rust": r"rustc|rustdoc|cargo(-.*)?|clippy-driver|rustfmt",
}
"""Toolchain → the names of its programs, for one that the system has."""
_SPARE = {"memory": (2.0, 128 << 20), "pids": (2.0, 32)}
"""Limit → how much more than the most there ever was is left, and the least that is."""
_KEPT = "kept: what a program reads of its environment cannot be seen"


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """What the run was admitted with."""

    profile: Profile
    spec: SandboxSpec
    toolchains: Mapping[str, Toolchain] = field(default_factory=dict[str, Toolchain])
    restrictions: Sequence[str] = ()
    """Those of the profile's parts that only restrict."""
    mode: WorkspaceMode = WorkspaceMode.RW
    """How the workspace would have been shown."""
    recorded: bool = True
    """Whether hosts were recorded."""


def narrow(base: Base, seen: Evidence) -> Learned:
    """Give what of the base was needed, what was asked for and is not granted, and what remained unused."""
    learned = Learned(extends=tuple(base.restrictions))
    _toolchains(base, seen, learned)
    mounted(base.spec, seen.files, learned)
    _environment(base, seen, learned)
    _workspace(base, seen, learned)
    reached(base.profile, seen.hosts, learned, recorded=base.recorded)
    _syscalls(base, seen, learned)
    _limits(base, seen, learned)
    _secrets(base, seen, learned)
    asked_for(base.spec, seen.files, learned)
    if base.profile.detections or base.profile.reactions:
        learned.notes.append("rules and reactions of the base (`violations`) are not carried over: write them in here")
    if seen.lost:
        learned.notes.append(f"{seen.lost} things were too many to be kept: this profile may be too narrow")
    return learned


def _toolchains(base: Base, seen: Evidence, learned: Learned) -> None:
    for name, found in sorted(base.toolchains.items()):
        places = [*(mount.target for mount in found.mounts), *found.links]
        own = re.compile(_PROGRAMS.get(name, re.escape(name)))
        used = [
            file.trace
            for file in seen.files
            if any((file.there and within(file.path, place)) or within(file.trace.program, place) for place in places)
            or (file.there and file.kind == RUN and own.fullmatch(file.path.rpartition("/")[2]))
            or own.fullmatch(file.trace.program.rpartition("/")[2])
        ]
        if used:
            learned.grant("toolchains", name, f"used {together(used)}")
        else:
            learned.unused.append(f"toolchains: {name}")


def _environment(base: Base, seen: Evidence, learned: Learned) -> None:
    for name, value in base.profile.environment.items():
        learned.grant("environment", (name, value), _KEPT)
    for key, places in (("path", base.profile.path), ("shell", [base.profile.shell] if base.profile.shell else [])):
        for place in places:
            used = [file.trace for file in seen.files if within(file.path, place) and (file.there or file.kind == RUN)]
            if used:
                learned.grant(key, place, f"used {together(used)}")
            else:
                learned.unused.append(f"{key}: {place}")
    if base.profile.cache:
        used = [file.trace for file in seen.files if within(file.path, caches.INSIDE)]
        if used:
            learned.grant("cache", value=True, why=f"{caches.INSIDE} was used {together(used)}")
        else:
            learned.unused.append("cache: true")
    if base.profile.rootfs:
        learned.grant("rootfs", base.profile.rootfs, "the system that it ran on")
    learned.unused += [f"preload: {name} (only run_code of the MCP server has it)" for name in base.profile.preload]


def _workspace(base: Base, seen: Evidence, learned: Learned) -> None:
    """Choose the narrowest mode; what the host would execute by itself is no reason for a wider one."""
    if base.spec.workspace is None:
        return
    place = base.spec.workspace.path
    protected = {f"{place}/{change.path}": change for change in seen.changes if change.protected}
    for path, change in sorted(protected.items()):
        asked = {file.path: file.trace for file in seen.files if file.kind == WRITE and within(file.path, path)}
        for name in sorted(asked) or [path]:
            trace = str(asked[name]) if asked else change.action
            learned.never.append(Never(f"write {name}", f"protected: {change.protected}", trace))
    written = [
        file
        for file in seen.files
        if file.kind == WRITE
        and within(file.path, place)
        and not any(within(file.path, path) or within(path, file.path) for path in protected)
    ]
    if not written or base.mode is WorkspaceMode.RO:
        learned.grant("workspace", WorkspaceMode.RO.value, "nothing of it was written")
        if base.mode is not WorkspaceMode.RO:
            learned.unused.append(f"workspace: {base.mode.value} (ro is enough)")
        return
    mode = WorkspaceMode.COW if base.mode is WorkspaceMode.COW else WorkspaceMode.GUARDED
    names = sorted({file.path for file in written})
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    learned.grant("workspace", mode.value, f"{names[0]}{more} written {together(file.trace for file in written)}")


def _syscalls(base: Base, seen: Evidence, learned: Learned) -> None:
    ceiling = base.profile.ceiling
    fixed = ceiling is not None and bool(ceiling.syscalls)  # groups are met by name, so these can't be taken apart
    for group in base.spec.syscalls if fixed else seen.syscalls:
        need = seen.needs.get(group)
        learned.grant("syscalls", group, f"{need[0]} {need[1]}" if need and not fixed else "what programs are made of")
    learned.unused += [f"syscalls: {group}" for group in (() if fixed else seen.spare)]
    asked: dict[str, list[str]] = {}
    for refused in seen.refused:
        said = ", ".join(f"{name}={value}" for name, value in refused.arguments.items())
        if refused.errno == "ENOSYS":
            continue  # libraries try these, and do without
        if refused.grant in HARMLESS_GROUPS and not fixed:
            asked.setdefault(refused.grant, []).append(f"{refused.call}({said}) {refused.trace}")
            continue
        hint = f"; with `syscalls: [{refused.grant}]`, written by you" if refused.grant else "; no profile can allow it"
        learned.never.append(Never(f"{refused.call}({said})", refused.why + hint, str(refused.trace)))
    for group, calls in sorted(asked.items()):
        if group not in seen.syscalls:
            learned.grant("syscalls", group, f"new: {calls[0]}")


def _limits(base: Base, seen: Evidence, learned: Learned) -> None:
    for name in LIMITS:
        limit = base.profile.limits.get(name)
        peak = seen.peaks.get(name)
        if peak is None or name not in _SPARE:
            if limit is not None:
                learned.grant("limits", (name, _amount(name, limit)), "the base's")
            continue
        factor, least = _SPARE[name]
        amount = max(peak * factor, least)
        if name == "memory":
            amount = float(-(-int(amount) // (16 << 20)) * (16 << 20))
        if limit is None or amount < limit.amount:
            limit = Limit(amount, limit.strength if limit else LimitStrength.DEFAULT)
        shown = format_size(peak) if name == "memory" else str(peak)
        learned.grant("limits", (name, _amount(name, limit)), f"it had {shown} at most")


def _amount(name: str, limit: Limit) -> object:
    unit = LIMITS[name][0]
    if not limit.amount:
        text: object = 0
    elif unit == "bytes":
        text = format_size(limit.amount) if limit.amount == _exact(limit.amount) else int(limit.amount)
    else:
        text = format_duration(limit.amount) if unit == "seconds" else limit.amount
    if isinstance(text, float) and text.is_integer():
        text = int(text)
    return {"amount": text, "required": True} if limit.strength is LimitStrength.REQUIRED else text


def _exact(amount: float) -> float:
    """Give an amount of bytes as it is read back from what people see of it."""
    from aisbx.units import parse_size

    return parse_size(format_size(amount)) if amount else 0.0


def _secrets(base: Base, seen: Evidence, learned: Learned) -> None:
    for secret in base.profile.secrets:
        if secret.target:
            used = [file.trace for file in seen.files if file.path == secret.place and file.kind != LOOK]
            if used:
                learned.grant(
                    "secrets", spelled(secret), f"{secret.place} was asked for {together(used)}; it was masked"
                )
            else:
                learned.unused.append(f"secrets: {secret.name}")
        else:
            learned.grant("secrets", spelled(secret), _KEPT)


def spelled(secret: Secret) -> str:
    """Write how a secret is asked for, as `--secret` has it."""
    parts = [f"{secret.store}:{secret.name}" if secret.store else secret.name]
    if secret.variable:
        parts += ["type=env", f"target={secret.variable}"]
    elif secret.placeholder:
        parts += ["type=proxy", f"target={secret.placeholder}"]
        if secret.binding is not None:
            parts += [f"host={host}" for host in secret.binding.hosts]
            parts += [f"method={method}" for method in secret.binding.methods]
            parts += [f"path={path}" for path in secret.binding.paths]
        parts += [f"header={header}" for header in secret.headers]
    elif secret.target != secret.name:
        parts.append(f"target={secret.target}")
    return ",".join(parts)
