"""Runtime profiles on one side, restrictions on the other, until everything is known.

Kept apart because a composition that is narrowed too early is not associative: `(a + strict) + b` would let `b`
raise what `strict` had lowered.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from aisbx.errors import ProfileError
from aisbx.profiles.lattice import join, meet, restrict
from aisbx.types import Profile


@dataclass(frozen=True, slots=True)
class Composition:
    """What has been composed so far; either side may be missing."""

    runtime: Profile | None = None
    restriction: Profile | None = None

    @classmethod
    def of(cls, profile: Profile) -> "Composition":
        """Start from one profile; one that was composed already brings its restrictions along."""
        if profile.restriction:
            return cls(restriction=profile)
        return cls(replace(profile, ceiling=None), profile.ceiling)

    def __or__(self, other: "Composition") -> "Composition":
        """Compose both; the order does not matter. ProfileError where they contradict each other."""
        return Composition(_both(self.runtime, other.runtime, join), _both(self.restriction, other.restriction, meet))

    def over(self, own: Profile) -> "Composition":
        """Lay a profile's own words over what it extends: on the same side its words win, key by key."""
        if not own.restriction:
            restriction = replace(self.restriction, name=own.name, description="") if self.restriction else None
            return Composition(_inherit(self.runtime, own), restriction)
        if self.runtime:
            raise ProfileError(f"the restriction {own.name} extends {self.runtime.name}, which gives", key="extends")
        return Composition(restriction=_inherit(self.restriction, own))

    def profile(self) -> Profile:
        """Give the result: the restrictions have the last word. A lone restriction is one still."""
        if self.runtime and self.restriction:
            return restrict(self.runtime, self.restriction)
        only = self.runtime or self.restriction
        if only is None:
            raise ProfileError("no profile is named", hint="name one with -p, such as -p base")
        return only


def _both(a: Profile | None, b: Profile | None, combine: Callable[[Profile, Profile], Profile]) -> Profile | None:
    return combine(a, b) if a and b else a or b


def _inherit(parent: Profile | None, own: Profile) -> Profile:
    if parent is None:
        return own
    mounts = {mount.target: mount for mount in (*parent.mounts, *own.mounts)}
    secrets = {secret.place: secret for secret in (*parent.secrets, *own.secrets)}
    detections = {each.id: each for each in (*parent.detections, *own.detections)}
    reactions = {each.on: each for each in (*parent.reactions, *own.reactions)}
    return replace(
        own,
        toolchains=parent.toolchains | own.toolchains,
        mounts=tuple(mounts[target] for target in sorted(mounts)),
        environment=dict(sorted({**parent.environment, **own.environment}.items())),
        path=tuple(sorted({*parent.path, *own.path})),
        workspace_mode=own.workspace_mode or parent.workspace_mode,
        network=own.network or parent.network,
        syscalls=parent.syscalls | own.syscalls,
        limits=dict(sorted({**parent.limits, **own.limits}.items())),
        cache=parent.cache if own.cache is None else own.cache,
        secrets=tuple(secrets[place] for place in sorted(secrets)),
        preload=parent.preload | own.preload,
        detections=tuple(detections[name] for name in sorted(detections)),
        reactions=tuple(reactions[on] for on in sorted(reactions)),
        rootfs=own.rootfs or parent.rootfs,
        shell=own.shell or parent.shell,
    )
