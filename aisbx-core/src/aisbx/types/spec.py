"""What a sandbox is to be: the resolved, driver-neutral specification. Pure data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from aisbx.types.detection import Detection, Reaction
from aisbx.types.secret import Secret


class WorkspaceMode(StrEnum):
    """How the workspace is seen inside."""

    RW = "rw"
    RO = "ro"
    COW = "cow"
    GUARDED = "guarded"


LAYERED = frozenset({WorkspaceMode.COW, WorkspaceMode.GUARDED})
"""The modes in which a layer takes what is written."""


class NetworkMode(StrEnum):
    """How far the network reaches."""

    NONE = "none"
    ALLOWLIST = "allowlist"
    OPEN = "open"


class LimitStrength(StrEnum):
    """Who asked for a limit: the request and a profile's `required` are enforced or refused."""

    REQUESTED = "requested"
    REQUIRED = "required"
    DEFAULT = "default"


# name → (unit, control id). The names are those of profiles and `RunRequest.limits`.
LIMITS: Mapping[str, tuple[str, str]] = {
    "wall_time": ("seconds", "limit:wall-time"),
    "output": ("bytes", "limit:output"),
    "memory": ("bytes", "limit:memory"),
    "pids": ("tasks", "limit:pids"),
    "cpus": ("cores", "limit:cpus"),
    "disk": ("bytes", "limit:disk"),
    "open_files": ("descriptors", "limit:open-files"),
    "core": ("bytes", "limit:core"),
}


@dataclass(frozen=True, slots=True)
class Limit:
    """An amount in the unit that `LIMITS` names, and how binding it is."""

    amount: float
    strength: LimitStrength = LimitStrength.DEFAULT


@dataclass(frozen=True, slots=True)
class Mount:
    """A host path shown inside; `source` and `target` are absolute and normalised, `origin` says who asked."""

    source: str
    target: str
    writable: bool = False
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Workspace:
    """The one directory of the host that the work is about; the same path inside."""

    path: str
    mode: WorkspaceMode = WorkspaceMode.RW


PROXY_PORT = 3128
"""The port of the sandbox's own loopback on which the egress proxy is reached."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """The process that decides on a sandbox's connections: its words, and what it is told on stdin (JSON)."""

    words: tuple[str, ...]
    job: str
    principal: str = ""


@dataclass(frozen=True, slots=True)
class Network:
    """The network mode and, for `ALLOWLIST`, the rules (docs/network.md).

    `proxy` is filled in once it is known which egress plugin is to hold them; without it no driver can.
    """

    mode: NetworkMode = NetworkMode.NONE
    allow: tuple[str, ...] = ()
    proxy: Proxy | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """Who one is inside: account name and ids, home, and the name and e-mail for the synthesised gitconfig."""

    name: str
    uid: int
    gid: int
    home: str
    git_name: str = ""
    git_email: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSpec:
    """All that a driver needs to know; made by `aisbx.resolve`, never by a driver or a host."""

    profile: str
    identity: Identity
    cwd: str
    workspace: Workspace | None = None
    mounts: tuple[Mount, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict[str, str])
    """Symbolic links made inside: absolute path → target (such as `python` → `python3`)."""
    rootfs: str = ""
    """A root directory on the host, absolute, whose runtime is shown in the place of the host's own; "" for that."""
    path: tuple[str, ...] = ("/usr/local/bin", "/usr/bin", "/bin")
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    """From the profile and the toolchain; what a request adds goes with each `Command`."""
    network: Network = Network()
    publish: tuple[int, ...] = ()
    syscalls: tuple[str, ...] = ("base",)
    """Names of the system-call groups that are allowed (see `aisbx_linux.seccomp`)."""
    limits: Mapping[str, Limit] = field(default_factory=dict[str, Limit])
    secrets: tuple[Secret, ...] = ()
    """By name: their values are no part of any spec, and come last, to `SecretDriver.bearing`."""
    lowered: frozenset[str] = frozenset()
    """Ids of controls that the caller gave up by name."""
    preload: tuple[str, ...] = ()
    """Python modules that a host's interpreter imports inside before code comes; nothing to a driver."""
    monitored: bool = False
    """What the filter refuses can be told of, by who watches the sandbox (`WatchedSandbox`)."""
    probes: bool = False
    """So can calls that are answered as if the kernel did not have them, which libraries try and do without."""
    recorded: bool = False
    """What its commands do can be told of, by who observes the sandbox (`ObservedSandbox`)."""

    detections: tuple[Detection, ...] = ()
    """Rules about violations that the profile adds; nothing to a driver, as the next."""
    reactions: tuple[Reaction, ...] = ()
    """What is done about violations, by who reads them (`aisbx.reactor`)."""

    def targets(self) -> list[str]:
        """Give every path inside at which something of the host is mounted."""
        return [*(mount.target for mount in self.mounts), *([self.workspace.path] if self.workspace else [])]

    def required_controls(self) -> tuple[str, ...]:
        """Give the ids that must be `FULL` for this spec to run, in the order of `CONTROLS`."""
        from aisbx.types.enforcement import CONTROLS  # keeps this module at the bottom

        wanted = {limit_control for name, (_, limit_control) in LIMITS.items() if self._binding(name)}
        skipped = set(self.lowered)
        if self.network.mode is not NetworkMode.NONE:
            skipped |= {"net:deny"}
        if self.network.mode is not NetworkMode.ALLOWLIST:
            skipped |= {"net:allowlist"}
        if not any(secret.placeholder for secret in self.secrets):
            skipped |= {"secret:proxied"}
        if self.network.mode is NetworkMode.OPEN:
            skipped |= {"net:host-sockets"}
        if self.workspace is None or self.workspace.mode is WorkspaceMode.RW:
            # In `rw` what appears during the run is only caught at the end: partial by definition.
            skipped |= {"fs:protected"}
        return tuple(
            name for name in CONTROLS if name not in skipped and (not name.startswith("limit:") or name in wanted)
        )

    def _binding(self, name: str) -> bool:
        limit = self.limits.get(name)
        return limit is not None and limit.strength is not LimitStrength.DEFAULT
