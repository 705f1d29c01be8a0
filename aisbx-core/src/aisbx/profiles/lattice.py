"""How two profiles become one, field by field (docs/profiles.md states the table).

`join` is for profiles that give (runtimes): the larger of each field. `meet` is for restrictions: the smaller.
Both are commutative, associative and idempotent, so the order on the command line does not matter.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

from aisbx.errors import ProfileError
from aisbx.profiles import rules
from aisbx.types import (
    REACTIONS,
    Detection,
    Limit,
    LimitStrength,
    Mount,
    Network,
    NetworkMode,
    Profile,
    Reaction,
    Secret,
    WorkspaceMode,
)

_T = TypeVar("_T")

WORKSPACE = (WorkspaceMode.RO, WorkspaceMode.COW, WorkspaceMode.GUARDED, WorkspaceMode.RW)
NETWORK = (NetworkMode.NONE, NetworkMode.ALLOWLIST, NetworkMode.OPEN)
STRENGTH = (LimitStrength.DEFAULT, LimitStrength.REQUIRED, LimitStrength.REQUESTED)
DEFAULT_SYSCALLS = frozenset({"base"})
"""What a profile that names no groups has."""
SEPARATOR = "; "
"""Between the descriptions of a composition's parts."""


def join(a: Profile, b: Profile) -> Profile:
    """Give a profile with what either gives; ProfileError where they contradict each other."""
    return Profile(
        name=names(a.name, b.name),
        description=_descriptions(a.description, b.description),
        toolchains=a.toolchains | b.toolchains,
        mounts=_mounts(a, b),
        environment=_environment(a, b),
        path=tuple(sorted({*a.path, *b.path})),
        workspace_mode=_pick(a.workspace_mode, b.workspace_mode, lambda x, y: max(x, y, key=WORKSPACE.index)),
        network=_pick(a.network, b.network, _wider_network),
        syscalls=a.syscalls | b.syscalls,
        limits=_limits(a.limits, b.limits, max),
        cache=_pick(a.cache, b.cache, lambda x, y: x or y),
        secrets=_secrets(a, b),
        preload=a.preload | b.preload,
        detections=_detections(a, b),
        reactions=_reactions(a, b),
        rootfs=_same("rootfs", a.rootfs or b.rootfs, b.rootfs or a.rootfs, a, b),
        shell=_same("shell", a.shell or b.shell, b.shell or a.shell, a, b),
    )


def meet(a: Profile, b: Profile) -> Profile:
    """Give a restriction that allows what both allow; ProfileError where that is no system call at all."""
    return Profile(
        name=names(a.name, b.name),
        description=_descriptions(a.description, b.description),
        restriction=True,
        workspace_mode=_pick(a.workspace_mode, b.workspace_mode, lambda x, y: min(x, y, key=WORKSPACE.index)),
        network=_pick(a.network, b.network, narrower_network),
        syscalls=_common_syscalls(a, b),
        limits=_limits(a.limits, b.limits, min),
        detections=_detections(a, b),
        reactions=_reactions(a, b),
    )


def restrict(runtime: Profile, restriction: Profile) -> Profile:
    """Give the runtime profile, narrowed; the restriction stays as its ceiling for requests."""
    mode = _pick(runtime.workspace_mode, restriction.workspace_mode, lambda x, y: min(x, y, key=WORKSPACE.index))
    read_only = restriction.workspace_mode is WorkspaceMode.RO
    network = _pick(runtime.network, restriction.network, narrower_network)
    if runtime.network is None and restriction.network is not None:
        network = None  # a runtime profile that says nothing has no network; a restriction can't give it one
    ceiling = restriction if runtime.ceiling is None else meet(runtime.ceiling, restriction)
    return replace(
        runtime,
        name=names(runtime.name, restriction.name),
        description=_descriptions(runtime.description, restriction.description),
        mounts=tuple(replace(m, writable=False) for m in runtime.mounts) if read_only else runtime.mounts,
        workspace_mode=mode,
        network=network,
        syscalls=_common_syscalls(runtime, restriction),
        limits=_limits(runtime.limits, restriction.limits, min),
        detections=_detections(runtime, restriction),
        reactions=_reactions(runtime, restriction),
        ceiling=ceiling,
    )


def names(*parts: str) -> str:
    """Give the name of a composition: its parts, each once, sorted."""
    return "+".join(sorted({name for part in parts for name in part.split("+")}))


def narrower_network(a: Network, b: Network) -> Network:
    """Give what both networks reach; two allow-lists with nothing in common reach nothing."""
    if a.mode is NetworkMode.ALLOWLIST and b.mode is NetworkMode.ALLOWLIST:
        return allowlist(rules.intersection(a.allow, b.allow))
    return min(a, b, key=lambda network: NETWORK.index(network.mode))


def allowlist(names: tuple[str, ...]) -> Network:
    """Give the network that reaches these rules: none at all for none (never "no restriction")."""
    return Network(NetworkMode.ALLOWLIST, names) if len(names) > len(rules.denials(names)) else Network()


def _wider_network(a: Network, b: Network) -> Network:
    if a.mode is NetworkMode.ALLOWLIST and b.mode is NetworkMode.ALLOWLIST:
        return allowlist(rules.union(a.allow, b.allow))
    return max(a, b, key=lambda network: NETWORK.index(network.mode))


def _pick(a: _T | None, b: _T | None, both: Callable[[_T, _T], _T]) -> _T | None:
    """Combine two fields of which None says nothing."""
    if a is None or b is None:
        return b if a is None else a
    return both(a, b)


def _descriptions(a: str, b: str) -> str:
    if a == b:
        return a
    return SEPARATOR.join(sorted({part for text in (a, b) if text for part in text.split(SEPARATOR)}))


def _limits(
    a: Mapping[str, Limit], b: Mapping[str, Limit], amount: Callable[[float, float], float]
) -> dict[str, Limit]:
    merged: dict[str, Limit] = {}
    for name in sorted({*a, *b}):
        one, other = a.get(name) or b[name], b.get(name) or a[name]
        # Required stays required, whichever amount wins.
        strength = max(one.strength, other.strength, key=STRENGTH.index)
        merged[name] = Limit(amount(one.amount, other.amount), strength)
    return merged


def _mounts(a: Profile, b: Profile) -> tuple[Mount, ...]:
    by_target: dict[str, Mount] = {}
    for mount in (*a.mounts, *b.mounts):
        present = by_target.get(mount.target)
        if present is None:
            by_target[mount.target] = mount
        elif present.source != mount.source:
            sources = " and ".join(sorted((present.source, mount.source)))
            raise ProfileError(f"profiles {names(a.name, b.name)} mount both {sources} at {mount.target}", key="mounts")
        else:
            origin = min(present.origin, mount.origin)
            by_target[mount.target] = replace(present, writable=present.writable or mount.writable, origin=origin)
    return tuple(by_target[target] for target in sorted(by_target))


def _secrets(a: Profile, b: Profile) -> tuple[Secret, ...]:
    by_place: dict[str, Secret] = {}
    for secret in (*a.secrets, *b.secrets):
        if by_place.setdefault(secret.place, secret) != secret:
            what = f"profiles {names(a.name, b.name)} have two secrets for {secret.place}"
            raise ProfileError(what, key="secrets", hint="give one another target=")
    return tuple(by_place[place] for place in sorted(by_place))


def _detections(a: Profile, b: Profile) -> tuple[Detection, ...]:
    by_id: dict[str, Detection] = {}
    for each in (*a.detections, *b.detections):
        if by_id.setdefault(each.id, each) != each:
            what = f"profiles {names(a.name, b.name)} have two rules {each.id}"
            raise ProfileError(what, key="violations.rules", hint="give one another id")
    return tuple(by_id[name] for name in sorted(by_id))


def _reactions(a: Profile, b: Profile) -> tuple[Reaction, ...]:
    """Give what either does."""
    done: dict[str, set[str]] = {}
    for each in (*a.reactions, *b.reactions):
        done.setdefault(each.on, set()).update(each.do)
    return tuple(Reaction(on=on, do=tuple(sorted(done[on], key=REACTIONS.index))) for on in sorted(done))


def _environment(a: Profile, b: Profile) -> dict[str, str]:
    merged: dict[str, str] = {}
    for name in sorted({*a.environment, *b.environment}):
        one = a.environment[name] if name in a.environment else b.environment[name]
        other = b.environment.get(name, one)
        merged[name] = _same(f"environment.{name}", one, other, a, b)
    return merged


def _same(key: str, one: str, other: str, a: Profile, b: Profile) -> str:
    if one != other:
        values = " and ".join(sorted((repr(one), repr(other))))
        raise ProfileError(f"profiles {names(a.name, b.name)} say both {values}", key=key, hint="leave one out")
    return one


def _common_syscalls(a: Profile, b: Profile) -> frozenset[str]:
    """Give the groups that `a` and the restriction `b` allow; a restriction that names none leaves `a` as it is."""
    if not b.syscalls:
        return a.syscalls
    if not a.syscalls and a.restriction:
        return b.syscalls
    common = (a.syscalls or DEFAULT_SYSCALLS) & b.syscalls
    if not common:
        # An empty set further down would mean "the default", which is more than nothing.
        raise ProfileError(f"profiles {names(a.name, b.name)} have no system calls in common", key="syscalls")
    return common
