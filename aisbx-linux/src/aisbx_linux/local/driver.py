"""What drivers have in common whose launch is a `LocalPlan`: check, plan and open. They differ in the tool they use."""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path

from aisbx.errors import AisbxError, ConfigError, DriverUnavailableError, StateError, UsageError
from aisbx.types import LAYERED, Enforcement, Layers, LocalPlan, Probe, Proxied, Sandbox, SandboxSpec, WorkspaceMode

from aisbx_linux import cradle, stage
from aisbx_linux.cgroup import find
from aisbx_linux.lasting.sandbox import LastingSandbox, end, make
from aisbx_linux.layer import overlay, sized, snapshots
from aisbx_linux.layer.review import find as find_layer
from aisbx_linux.learning.calls import numbers as recorded_calls
from aisbx_linux.local import etc, memo, plain, private, privileged
from aisbx_linux.local.argv import plan
from aisbx_linux.local.enforce import Facts, enforcement, lasting, refuse_unsupported
from aisbx_linux.local.secrets import bear
from aisbx_linux.local.tree import materialise
from aisbx_linux.local.trial import OUTSIDE_ID
from aisbx_linux.mounts import mount_points
from aisbx_linux.remedy import remedy
from aisbx_linux.sandbox import LocalSandbox
from aisbx_linux.seccomp import cached_filter, library_path
from aisbx_linux.watching import able

_NPROC_PER_NAMESPACE = (5, 14)


@dataclass(frozen=True, slots=True)
class Tool:
    """A program that makes namespaces and mounts as bubblewrap's options say."""

    path: str
    version: str
    origin: str
    called: str = "bubblewrap"
    """What it is to people."""
    words: tuple[str, ...] = ()
    """What the program is told before those options; `{file:N}` is the descriptor of `files[N - 1]`."""
    files: tuple[bytes, ...] = ()
    """What it is given to read as memory files."""
    inputs: tuple[str, ...] = ()
    """Paths that `files` were made from."""
    level: str = ""
    """What it is without: `privileged` makes no user namespace and is root until the command starts (`privileged.py`),
    `plain` makes no namespace at all (`plain.py`)."""


class NamespaceDriver(ABC):
    """One sandbox is one tool: with a command that ends it, or one that others join."""

    name: str
    setting: str
    """The name of its one setting of its own: an absolute path to use instead of searching for the tool."""
    example: str
    """What that path may be, for people."""
    publishes = True

    def __init__(self, settings: Mapping[str, object]) -> None:
        """Keep the settings: `cache_dir`, a private directory, and `setting`.

        ConfigError for any other, and for a path that depends on the current directory.
        """
        for name in sorted(settings.keys() - {"cache_dir", self.setting}):
            key, hint = f"drivers.{self.name}.{name}", f"the only one is {self.setting}"
            raise ConfigError("there is no such setting", key=key, hint=hint)
        path = settings.get(self.setting, "/")
        if not isinstance(path, str) or not path.startswith("/"):
            key, hint = f"drivers.{self.name}.{self.setting}", f"name {self.example}, or remove it"
            raise ConfigError(f"{path!r} is not an absolute path", key=key, hint=hint)
        self._settings = settings
        self._cache = Path(str(settings["cache_dir"]))
        self._found: tuple[Tool | None, Probe] | None = None
        self._places: find.Places | None = None
        self._secrets: Mapping[str, bytes] = {}
        self._proxied: Proxied | None = None

    @abstractmethod
    def find_tool(self, remembered: str) -> tuple[Tool | None, Probe]:
        """Find the tool and try an empty sandbox; `remembered` is a private directory that keeps what worked."""

    def probe(self) -> Probe:
        """Find the tool and try an empty sandbox, once."""
        return self._tool()[1]

    def check(self, spec: SandboxSpec) -> Enforcement:
        """Say how far each control of this spec will hold; UsageError for what is no control and not there yet."""
        refuse_unsupported(spec, self.name)
        facts = self._facts(spec)
        return _REPORTS[facts.level](spec, facts)

    def bearing(self, secrets: Mapping[str, bytes], proxied: Proxied | None = None) -> "NamespaceDriver":
        """Give this driver for one request that has secrets as files, or by the proxy of its network."""
        made = copy(self)
        vars(made).update(_secrets=dict(secrets), _proxied=proxied)
        return made

    def plan(self, spec: SandboxSpec) -> LocalPlan:
        """Give the launch as data; DriverUnavailableError where `probe` says unusable, UsageError as `check`."""
        if private.layer(spec):
            hint = "aisbx create and aisbx exec, or a read-only workspace"
            raise UsageError("--disk bounds the layer over the workspace of a sandbox that lasts only", hint=hint)
        return bear(self._plan(spec), self._secrets, self._proxied)

    def _plan(self, spec: SandboxSpec) -> LocalPlan:
        refuse_unsupported(spec, self.name)
        found, probed = self._tool()
        if found is None or not probed.usable:
            raise DriverUnavailableError(f"{self.name}: {probed.reason}", hint=probed.remedy)
        if place := _writable(spec, found.path):
            hint = "use one that is installed elsewhere, or a read-only workspace"
            raise DriverUnavailableError(f"{self.name}: the command could write {found.path}, in {place}", hint=hint)
        if found.level == "plain":
            if self._secrets:
                hint = "give them as variables, or " + plain.REMEDY
                raise DriverUnavailableError(f"{self.name}: there is no place for secrets: {plain.WHY}", hint=hint)
            made = plain.plan(spec, found, self._filter(spec), self.name)
            made["inputs"] += [library_path(), *found.inputs]
            return made
        become = None
        if found.level:
            privileged.refuse(spec, self.name)
            become = privileged.who(spec)
            spec = replace(spec, identity=replace(spec.identity, uid=become[0], gid=become[1]))
        directory = materialise(etc.content(spec), self._cache / "etc")
        outside = None if found.level else _outside(spec)
        facts = (found, self._filter(spec), outside, str(directory), self._cgroups())
        made = plan(spec, *facts, contained=self._contained(), become=become)
        # A run without a plan is refused once the library has gone, so a plan must not outlive it.
        made["inputs"] += [library_path(), *found.inputs]
        return made

    def open(self, spec: SandboxSpec, home: Path) -> Sandbox:
        """Prepare a sandbox; its processes are started by `spawn`, each in namespaces of its own."""
        return LocalSandbox(self.plan(spec), self.check(spec), home)

    def create(self, spec: SandboxSpec, home: Path, kept: Path, ttl: float) -> Sandbox:
        """Make a sandbox that lasts: a first process that only keeps the namespaces, for commands to join."""
        self._make(spec, home, kept, ttl)
        return self.attach(str(home))

    def attach(self, handle: str) -> Sandbox:
        """Find a sandbox that `create` made; StateError where it has ended."""
        return LastingSandbox(Path(handle))

    def end(self, home: Path) -> list[str]:
        """End what `create` made or half made, and give what was found planted in its workspace."""
        return end(home)

    def layers(self, home: Path) -> Layers | None:
        """Give the layer over the workspace of what `create` or a run made."""
        return find_layer(home)

    def snapshot(self, home: Path, kept: Path, place: Path) -> str:
        """Keep in `place` what the layer of a sandbox holds, by an overlay mount; a copy while commands run in it."""
        return snapshots.snapshot(home, kept, place)

    def restore(self, home: Path, kept: Path, place: Path) -> None:
        """Have a sandbox's workspace be as in a snapshot again; StateError while commands run in it."""
        snapshots.restore(home, kept, place)

    def fork(self, spec: SandboxSpec, home: Path, kept: Path, ttl: float, origin: Path) -> Sandbox:
        """Make a sandbox whose layer begins with a snapshot, or with what another sandbox has now."""
        snapshots.refuse_sized(origin)
        self._make(spec, home, kept, ttl, origin)
        return self.attach(str(home))

    def make_root(self, place: Path, origin: str, told: Callable[[str], None]) -> bool:
        """Make a root directory from Debian's packages, the host's runtime or a tar; see `roots.make.make_root`."""
        from aisbx_linux.roots.make import make_root  # no run makes one

        return make_root(place, origin, cached_filter(("base",), self._cache / "filters"), told)

    def unwatched(self, spec: SandboxSpec) -> str:
        """Say why a sandbox of this spec is not watched unless that is asked for; empty where it can be."""
        return able.unwatched(self._filter(spec))

    def sweep(self, kept: Path) -> None:
        """Remove the layers that nothing stands on any more."""
        snapshots.sweep(kept)

    def _make(self, spec: SandboxSpec, home: Path, kept: Path, ttl: float, origin: Path | None = None) -> None:
        plan = self._plan(spec)
        if "--become" in plan["head"]:
            raise DriverUnavailableError(f"{self.name}: {privileged.NOT_LASTING}", hint=privileged.REMEDY)
        if (size := private.layer(spec)) and plan["workspace"] is not None:
            outside = plan["outside"]
            try:
                sized.make(home / "layer", size, plan["workspace"], outside and outside[:2])
            except OSError as error:
                told = f"{home}/layer: no file system of {size} bytes can be made for it: {error.strerror or error}"
                raise StateError(told, hint="see whether there is room, and loop devices") from error
        first = bear(plan, self._secrets, self._proxied)
        watched = (spec.syscalls, spec.probes) if spec.monitored else None
        recorded = (spec.syscalls, recorded_calls(os.uname().machine, spec.syscalls)) if spec.recorded else None
        make(plan, lasting(self.check(spec)), home, kept, ttl, origin, first, watched, recorded)

    def _tool(self) -> tuple[Tool | None, Probe]:
        if self._found is None:
            self._found = self.find_tool(str(self._cache / "probes"))
        return self._found

    def _cgroups(self) -> find.Places:
        if self._places is None:
            self._places = find.find()
        return self._places

    def _facts(self, spec: SandboxSpec) -> Facts:
        found, probed = self._tool()
        root = os.geteuid() == 0
        release = os.uname().release.split(".")
        writable = [spec.workspace.path] if spec.workspace else []
        writable += [mount.source for mount in spec.mounts if mount.writable]
        unmappable = ""
        level = found.level if found is not None and probed.usable else ""
        with_users = probed.usable and not level
        if root and with_users and "priv:not-root" not in spec.lowered:
            unmappable = next((path for path in writable if not self._maps(path)), "")
        contained = not probed.usable or level == "plain" or self._contained()
        return Facts(
            unusable="" if probed.usable else probed.reason,
            tool=found.called if found else self.name,
            remedy=probed.remedy if contained else cradle.hindrance() or remedy(""),
            root=root,
            unmappable=unmappable,
            counts_tasks=(int(release[0]), int(release[1].split("-")[0])) >= _NPROC_PER_NAMESPACE,
            filter_problem=self._filter_problem(spec),
            layer_problem=self._layer_problem(spec) if with_users and not unmappable else "",
            unsized=sized.problem(size) if (size := private.layer(spec)) else ("", ""),
            cgroups=self._cgroups(),
            contained=contained,
            level=level,
        )

    def _contained(self) -> bool:
        return self._tried("namespaces", cradle.possible)

    def _maps(self, path: str) -> bool:
        """Tell whether root can show what is under a path to another user: a matter of its file system."""
        file_system = f"idmap {os.stat(path).st_dev} {os.statvfs(path).f_fsid}"
        return self._tried(file_system, lambda: stage.can_map(path, OUTSIDE_ID))

    def _layer_problem(self, spec: SandboxSpec) -> str:
        """Say why no layer can be laid over the workspace; empty where it can, or none is wanted."""
        if spec.workspace is None or spec.workspace.mode not in LAYERED:
            return ""
        path = spec.workspace.path
        if inner := next((place for place in mount_points() if place.startswith(f"{path}/")), ""):
            return f"another file system is mounted in the workspace, at {inner}"
        outside = _outside(spec)
        file_system = f"layer {os.stat(path).st_dev} {os.statvfs(path).f_fsid} {bool(outside)}"
        scratch = f"{self._cache}/probes/layer-{os.urandom(6).hex()}"
        if self._tried(file_system, lambda: overlay.possible(path, scratch, outside[2] if outside else 0)):
            return ""
        return f"the kernel lays no layer over the file system of {path} (overlayfs in a user namespace, Linux 5.11)"

    def _tried(self, what: str, attempt: Callable[[], bool]) -> bool:
        found, _ = self._tool()
        return memo.tried(str(self._cache / "probes"), found.path if found else "", what, attempt)

    def _filter(self, spec: SandboxSpec) -> bytes:
        return cached_filter(spec.syscalls, self._cache / "filters")

    def _filter_problem(self, spec: SandboxSpec) -> str:
        try:
            self._filter(spec)
        except ConfigError as error:  # a name that is none, no matter of this machine: to lower the filter is no remedy
            raise UsageError(f"{self.name}: {error.message}", hint=error.hint) from error
        except AisbxError as error:
            return error.message
        return ""


_REPORTS = {"": enforcement, "privileged": privileged.enforcement, "plain": plain.enforcement}
"""The level of a tool → what is said of a spec."""


def _writable(spec: SandboxSpec, program: str) -> str:
    """Give the writable mount that shows the tool, which the host executes; empty where none does."""
    shown = [(mount.source, mount.writable) for mount in spec.mounts]
    if spec.workspace is not None:
        shown.append((spec.workspace.path, spec.workspace.mode is not WorkspaceMode.RO))
    real = Path(os.path.realpath(program))
    around = [(source, writable) for source, writable in shown if real.is_relative_to(os.path.realpath(source))]
    source, writable = max(around, key=lambda row: len(row[0]), default=("", False))
    return source if writable else ""


def _outside(spec: SandboxSpec) -> tuple[int, int, int] | None:
    """Give who root's sandbox is on the host; None for an ordinary user, or where `priv:not-root` was given up."""
    if os.geteuid() != 0 or "priv:not-root" in spec.lowered:
        return None
    owner = os.stat(spec.workspace.path) if spec.workspace else None
    return (owner.st_uid if owner else 0, owner.st_gid if owner else 0, OUTSIDE_ID)
