"""What discovery gives back."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from aisbx.types import Mount

BIN = "/run/aisbx/bin"
"""Inside: the directory for names that a toolchain lacks (`python` where there is only `python3`)."""


@dataclass(frozen=True, slots=True)
class Toolchain:
    """Read-only mounts, directories for the front of PATH, links to make inside, variables; `notes` for people."""

    mounts: tuple[Mount, ...] = ()
    path: tuple[str, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict[str, str])
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    notes: tuple[str, ...] = ()
    offline: Mapping[str, str] = field(default_factory=dict[str, str])
    """Variables where there is no network: its tools say so at once instead of waiting for one."""

    def __or__(self, other: "Toolchain") -> "Toolchain":
        """Put two together; toolchains don't share variables or links, so nothing can be contradicted."""
        return Toolchain(
            mounts=tuple(dict.fromkeys((*self.mounts, *other.mounts))),
            path=tuple(dict.fromkeys((*self.path, *other.path))),
            links={**self.links, **other.links},
            environment={**self.environment, **other.environment},
            notes=(*self.notes, *other.notes),
            offline={**self.offline, **other.offline},
        )
