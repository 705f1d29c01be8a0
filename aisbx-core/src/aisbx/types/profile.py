"""A profile as data, after `extends` and composition (`python-dev+offline`)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from aisbx.types.detection import Detection, Reaction
from aisbx.types.secret import Secret
from aisbx.types.spec import Limit, Mount, Network, WorkspaceMode


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a profile says; `None` and empty mean that it says nothing and the next one decides.

    `restriction` profiles (offline, readonly, strict) narrow and have the last word in a composition.
    `toolchains` names what discovery is to find (`python`); discovery, not the profile, gives host paths.
    """

    name: str
    description: str = ""
    restriction: bool = False
    toolchains: frozenset[str] = frozenset()
    mounts: tuple[Mount, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    path: tuple[str, ...] = ()
    workspace_mode: WorkspaceMode | None = None
    network: Network | None = None
    syscalls: frozenset[str] = frozenset()
    limits: Mapping[str, Limit] = field(default_factory=dict[str, Limit])
    cache: bool | None = None
    """`/var/cache` survives runs: one for each project and profile (`aisbx.caches`)."""
    secrets: tuple[Secret, ...] = ()
    """By name, never their values; one for each place inside."""
    preload: frozenset[str] = frozenset()
    """Python modules that a host's interpreter has imported before code comes."""
    rootfs: str = ""
    """A root directory on the host, absolute, whose runtime is shown in the place of the host's own."""
    shell: str = ""
    """What `run` without a command starts on a terminal, an absolute path inside."""
    detections: tuple[Detection, ...] = ()
    """Rules about violations, besides those that everybody has; by id."""
    reactions: tuple[Reaction, ...] = ()
    """What is done about violations, besides recording them; by what they are on."""
    ceiling: "Profile | None" = None
    """The restrictions of a composition: no request goes beyond what this states (`None`: there were none)."""
