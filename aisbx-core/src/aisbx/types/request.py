"""What a host asks the engine for, and what policies answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from aisbx.types.secret import Secret
from aisbx.types.spec import Network, WorkspaceMode


@dataclass(frozen=True, slots=True)
class WorkspaceRequest:
    """A directory as the caller wrote it, relative to `RunRequest.cwd`; `mode` None: the profile decides."""

    path: str
    mode: WorkspaceMode | None = None


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: a stable id (`uid:1000`, `key:…`), the scopes that an auth plugin granted, and what it works in.

    `workspace` None and `profile` empty: what the host gives.
    """

    id: str
    scopes: frozenset[str] = frozenset()
    workspace: WorkspaceRequest | None = None
    profile: str = ""


@dataclass(frozen=True, slots=True)
class MountRequest:
    """An extra mount as the caller wrote it; read-only unless `writable`."""

    source: str
    target: str
    writable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """One `aisbx run`: what was asked for, before profiles and settings are consulted.

    `limits` maps names of `aisbx.types.LIMITS` to amounts (seconds, bytes, cores, counts).
    `environment` holds what the caller named with `-e`; its values may be secrets and are
    never logged, cached or put on a command line.
    """

    command: tuple[str, ...]
    cwd: str
    profile: tuple[str, ...] = ()
    driver: str = ""
    workspace: WorkspaceRequest | None = None
    mounts: tuple[MountRequest, ...] = ()
    rootfs: str = ""
    """A root directory as the caller wrote it; "": the profile's, or the host's own runtime."""
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    network: Network | None = None
    """What is asked for; None: what the profile says."""
    network_ceiling: Network | None = None
    """What a server gives at most, where nothing is asked for: a profile's allow-list and a restriction narrow it."""
    publish: tuple[int, ...] = ()
    secrets: tuple[Secret, ...] = ()
    limits: Mapping[str, float] = field(default_factory=dict[str, float])
    monitor: bool | None = None
    """What it tries that it may not is told as it happens. None: of a sandbox that lasts, where that can be, but for
    what libraries try and do without; not of a run."""
    learn: bool = False
    """A profile is to be learned from what it does: it is observed, and has no secret's value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to run in a sandbox that is open: argv, variables on top of the spec's, directory (None: the spec's)."""

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    cwd: str | None = None
    limits: Mapping[str, float] = field(default_factory=dict[str, float])
    secrets: tuple[Secret, ...] = ()
    """Variables that the core adds to `environment` after all policies have been asked; a driver finds none here."""
    stdin: bytes | None = None
    """What it is given on its standard input, as far as that is known when policies are asked; for them alone."""


@dataclass(frozen=True, slots=True)
class Stdio:
    """Where a command's streams go, as descriptors of the caller that are relayed, never passed in.

    `stdin` None is /dev/null, bytes are fed to the command. `stdout` and `stderr` None are captured,
    at most `capture` bytes each. `terminal` gives the command a pty of its own, relayed to `stdin` and
    `stdout`, with `stderr` on it.
    """

    stdin: int | bytes | None = None
    stdout: int | None = None
    stderr: int | None = None
    terminal: bool = False
    capture: int = 1 << 20

    @property
    def known(self) -> bytes | None:
        """What the command will read, where that is known before it starts."""
        return self.stdin if isinstance(self.stdin, bytes) else None

    @property
    def captured(self) -> bool:
        """Whether what the command prints is given back with its outcome."""
        return self.stdout is None and not self.terminal


@dataclass(frozen=True, slots=True)
class Verdict:
    """A policy's answer: `allow` False refuses, with the rule's id and a reason for people."""

    allow: bool
    rule: str = ""
    reason: str = ""
    ask: bool = False
    """Not allowed unless a person says yes; where a host has nobody to ask, that is a no."""
