"""The order of profiles: `narrower(a, b)` where a sandbox of `a` has nothing that one of `b` lacks."""

from collections.abc import Mapping

from aisbx.profiles import rules
from aisbx.profiles.lattice import DEFAULT_SYSCALLS, NETWORK, STRENGTH, WORKSPACE
from aisbx.types import Limit, Network, NetworkMode, Profile, WorkspaceMode


def narrower(a: Profile, b: Profile) -> bool:
    """Tell whether all that `a` gives, or lets a request ask for, `b` does too. Reflexive and transitive."""
    return not widened(a, b)


def widened(a: Profile, b: Profile) -> tuple[str, ...]:
    """Name the keys in which `a` goes beyond `b`; none where it is narrower."""
    checks = {
        "toolchains": a.toolchains <= b.toolchains,
        "mounts": all(_has_mount(mount.target, mount.source, b, writable=mount.writable) for mount in a.mounts),
        "environment": a.environment.items() <= b.environment.items(),
        "path": set(a.path) <= set(b.path),
        "cache": bool(a.cache) <= bool(b.cache),
        "workspace": _index(a.workspace_mode) <= _index(b.workspace_mode),
        "network": network_within(a.network or Network(), b.network or Network()),
        "syscalls": (a.syscalls or DEFAULT_SYSCALLS) <= (b.syscalls or DEFAULT_SYSCALLS),
        "limits": _bounded(a.limits, b.limits),
        "secrets": set(a.secrets) <= set(b.secrets),
        "preload": a.preload <= b.preload,
        "rootfs": a.rootfs in {"", b.rootfs},
        "shell": a.shell in {"", b.shell},
        "violations": set(b.detections) <= set(a.detections) and _reacts(a, b),
        "restrictions": b.ceiling is None or (a.ceiling is not None and _ceiling_within(a.ceiling, b.ceiling)),
    }
    return tuple(key for key, holds in checks.items() if not holds)


def network_within(a: Network, b: Network) -> bool:
    """Tell whether `a` reaches nothing that `b` does not."""
    if a.mode is NetworkMode.ALLOWLIST and b.mode is NetworkMode.ALLOWLIST:
        return rules.included(a.allow, b.allow)
    return NETWORK.index(a.mode) <= NETWORK.index(b.mode)


def _has_mount(target: str, source: str, profile: Profile, *, writable: bool) -> bool:
    return any(
        mount.target == target and mount.source == source and (mount.writable or not writable)
        for mount in profile.mounts
    )


def _reacts(a: Profile, b: Profile) -> bool:
    """Tell whether `a` does all that `b` does about violations."""
    done = {each.on: set(each.do) for each in a.reactions}
    return all(set(each.do) <= done.get(each.on, set()) for each in b.reactions)


def _index(mode: WorkspaceMode | None) -> int:
    return WORKSPACE.index(mode or WorkspaceMode.RW)


def _bounded(a: Mapping[str, Limit], b: Mapping[str, Limit]) -> bool:
    """Tell whether `a` has every limit of `b`, no larger and no less binding."""
    return all(
        name in a
        and a[name].amount <= limit.amount
        and STRENGTH.index(a[name].strength) >= STRENGTH.index(limit.strength)
        for name, limit in b.items()
    )


def _ceiling_within(a: Profile, b: Profile) -> bool:
    """Compare ceilings: one that says nothing of a field lets a request have all of it."""
    everything = Network(NetworkMode.OPEN)
    return (
        _index(a.workspace_mode) <= _index(b.workspace_mode)
        and network_within(a.network or everything, b.network or everything)
        and (not b.syscalls or (bool(a.syscalls) and a.syscalls <= b.syscalls))
        and _bounded(a.limits, b.limits)
    )
