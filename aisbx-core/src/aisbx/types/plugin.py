"""The protocols that plugins fill. Methods raise `aisbx.errors`; data in, data out, never the host."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from aisbx.types.capability import Files, Freezer, Layers
from aisbx.types.enforcement import Enforcement
from aisbx.types.outcome import BriefRunner, ExitStatus, Recorder, Recording, Usage
from aisbx.types.plan import JoinPlan, LocalPlan
from aisbx.types.request import Command, Principal, Stdio, Verdict
from aisbx.types.secret import Proxied, Secrets
from aisbx.types.spec import SandboxSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What is there: usable or why not and what to do; `facts` for `doctor` (version, path, kernel)."""

    usable: bool
    reason: str = ""
    remedy: str = ""
    facts: Mapping[str, str] = field(default_factory=dict[str, str])


@runtime_checkable
class Process(Protocol):
    """A command that runs in a sandbox."""

    def wait(self, timeout: float | None = None) -> ExitStatus | None:
        """Relay the streams until the command has ended (None: `timeout` seconds passed first)."""
        ...

    def signal(self, number: int) -> None:
        """Send a signal to the command, from any thread or a signal's handler; nothing happens when it has ended."""
        ...

    def kill(self) -> None:
        """End the command and all that came of it and is still below it; nothing happens when it has ended."""
        ...

    def resize(self, rows: int, columns: int) -> None:
        """Tell the command's pty its new size; UsageError where it has none."""
        ...

    def usage(self) -> Usage:
        """Give what it has used so far."""
        ...


@runtime_checkable
class Sandbox(Protocol):
    """A sandbox that is open. Capabilities that it lacks are None; a call that needs one is refused."""

    handle: str
    """Enough, with the driver's name, for `Driver.attach` in another process; empty if it can't last."""
    enforcement: Enforcement
    """As observed, not as planned."""
    files: Files | None
    layers: Layers | None
    freezer: Freezer | None

    def spawn(self, command: Command, stdio: Stdio) -> Process:
        """Start a command; that it is missing, can't be executed or launched may also come from `wait`."""
        ...

    def close(self) -> None:
        """End every process and free everything; may be called twice."""
        ...


@runtime_checkable
class Driver(Protocol):
    """One way to confine: a namespace, a chroot, a VM or a cluster."""

    name: str

    def probe(self) -> Probe:
        """Say what is there; cheap, changes nothing, never raises for a missing tool."""
        ...

    def check(self, spec: SandboxSpec) -> Enforcement:
        """Say, before anything is made, how far each control of this spec will hold."""
        ...

    def open(self, spec: SandboxSpec, home: Path) -> Sandbox:
        """Make the sandbox; `home` is a private directory (0700) for its state. All or nothing."""
        ...

    def attach(self, handle: str) -> Sandbox:
        """Find a sandbox that `open` made earlier; StateError if it is gone or cannot last."""
        ...


@runtime_checkable
class LocalDriver(Driver, Protocol):
    """A driver whose launch is plain data, so that the hot path can skip the rest."""

    def plan(self, spec: SandboxSpec) -> LocalPlan:
        """Turn the spec into what the tool wants; pure but for looking at the host's files."""
        ...


@runtime_checkable
class SecretDriver(Driver, Protocol):
    """A driver whose sandboxes can have secrets as files, or by the proxy of their network."""

    def bearing(self, secrets: Mapping[str, bytes], proxied: Proxied | None = None) -> Driver:
        """Give this driver for one request: what it plans, opens, creates or forks has these files (name → content).

        They lie in `/run/secrets`, in memory, and can be read by the command's user only (0400). `proxied` goes to the
        process that holds the sandbox's allow-list, and to `AUTHORITIES`. What the driver keeps of a sandbox has no
        part of them, and a plan that has is never kept.
        """
        ...


@runtime_checkable
class PublishingDriver(Driver, Protocol):
    """A driver that makes ports of a sandbox reachable on the host's loopback, where `SandboxSpec.publish` names them.

    By 127.0.0.1 and ::1 alone, from the first process to the end of the sandbox; a port that is taken refuses it.
    """

    publishes: bool
    """True."""


@runtime_checkable
class RootedDriver(Driver, Protocol):
    """A driver that shows the runtime of `SandboxSpec.rootfs`, and makes such root directories."""

    def make_root(self, place: Path, origin: str, told: Callable[[str], None]) -> bool:
        """Make one at `place`, absolute, from `debian`, `host` or `tar:FILE`; False: there already (docs/rootfs.md)."""
        ...


@runtime_checkable
class LastingDriver(Driver, Protocol):
    """A driver whose sandboxes outlive the process that makes them."""

    def create(self, spec: SandboxSpec, home: Path, kept: Path, ttl: float) -> Sandbox:
        """Make a sandbox that `attach` finds by its handle until it is closed, or `ttl` seconds (0: any) have passed.

        `home` is a private directory (0700) that goes with the sandbox, `kept` one for what must stay when it has
        gone. All or nothing, also where this process is killed meanwhile: what is half made `end` takes away.
        """
        ...

    def end(self, home: Path) -> Sequence[str]:
        """End what `create` made or half made in `home`, also where it has ended already; gives the findings."""
        ...


@runtime_checkable
class LayeringDriver(Driver, Protocol):
    """A driver whose runs can have a workspace of the modes `cow` and `guarded`."""

    def layers(self, home: Path) -> Layers | None:
        """Give the layer that a run left in `home`; None where there is none."""
        ...


@runtime_checkable
class LayeredDriver(LastingDriver, Protocol):
    """A driver that has such workspaces in sandboxes that last as well."""

    def layers(self, home: Path) -> Layers | None:
        """Give the layer that is kept in `home`, also where its sandbox has ended; None where there is none."""
        ...


@runtime_checkable
class DistantDriver(LastingDriver, Protocol):
    """A driver that brings from elsewhere, when a sandbox ends, what was written in it."""

    def abandon(self, home: Path) -> list[str]:
        """End it as `end` does, and bring nothing: nobody wants it. Gives the findings."""
        ...


@runtime_checkable
class SnapshotDriver(LayeredDriver, Protocol):
    """A driver that keeps what a layer holds, and makes other sandboxes from it. StateError where that can't be.

    `home` is that of a sandbox, whether it runs or has ended; `kept` is the directory that `create` was given.
    """

    def snapshot(self, home: Path, kept: Path, place: Path) -> str:
        """Keep in `place`, an empty private directory, what the layer in `home` holds now; gives by what mechanism.

        The snapshot is whole or none: what lies in `place` when this did not return is removed with it.
        """
        ...

    def restore(self, home: Path, kept: Path, place: Path) -> None:
        """Have the layer in `home` hold what it did at the snapshot in `place`, and drop what came since."""
        ...

    def fork(self, spec: SandboxSpec, home: Path, kept: Path, ttl: float, origin: Path) -> Sandbox:
        """Make a sandbox as `create` does, whose layer holds what `origin` does: a snapshot, or another's `home`."""
        ...

    def sweep(self, kept: Path) -> None:
        """Remove what was kept for sandboxes and snapshots that are gone."""


@runtime_checkable
class ReleasableSandbox(Sandbox, Protocol):
    """A sandbox of which this process keeps something, so that further commands start fast."""

    def release(self) -> None:
        """Let that go; the sandbox stays, and can be used all the same."""
        ...

    def warm(self) -> None:
        """Have what makes the first command fast; an AisbxError says why that cannot be."""
        ...

    def renew(self) -> bool:
        """Take what the workspace holds now as what it was made with, unless used; False: let it end, make anew."""
        ...


@runtime_checkable
class ExecutingSandbox(Sandbox, Protocol):
    """A sandbox that has a shorter way to run a command to its end than `spawn` and `Process.wait`."""

    def execute(self, command: Command, stdio: Stdio, record: Recording | None = None) -> ExitStatus:
        """Run it, and say the same of it as those do; raises what kept it from running.

        Where it has ended in the ordinary course, its `record` may be written here.
        """
        ...


@runtime_checkable
class BriefSandbox(ExecutingSandbox, Protocol):
    """A sandbox that has the shortest way of all for commands with no variables, input or limits of their own."""

    def brief(self, capture: int, recorder: Recorder) -> BriefRunner | None:
        """Give what runs one, at most `capture` bytes of each stream kept; None where there is nothing shorter.

        It is for this process and user. Called, it gives None where nothing was started: `execute` is to do it.
        """
        ...


@runtime_checkable
class JoinableSandbox(Sandbox, Protocol):
    """A sandbox whose commands can be started from plain data, so that the hot path can skip the rest."""

    def plan(self, command: Command) -> JoinPlan:
        """Give how a command of these variables, limits and directory gets in; what it executes is no part of it."""
        ...


@runtime_checkable
class Auth(Protocol):
    """Says who somebody is."""

    def authenticate(self, credentials: Mapping[str, str]) -> Principal:
        """Give the principal; any exception is a denial."""
        ...


@runtime_checkable
class RevocableAuth(Auth, Protocol):
    """An authenticator that takes back what it granted."""

    def stands(self, principal: Principal) -> bool:
        """Say whether a principal that was authenticated earlier still would be."""
        ...


@runtime_checkable
class Transport(Protocol):
    """A way for clients to reach a service."""

    def serve(self, service: object) -> None:
        """Serve until told to stop; gets the service, not the plugin manager."""


@runtime_checkable
class Policy(Protocol):
    """May this principal run this? A policy can only narrow."""

    def review(self, spec: SandboxSpec, command: Command, principal: Principal) -> Verdict:
        """Give a verdict; an exception or anything else is a denial."""
        ...


@runtime_checkable
class ProbedSecrets(Secrets, Protocol):
    """A store that can say whether it is usable without giving anything, and without asking anybody anything."""

    def probe(self) -> Probe:
        """Say so; cheap, changes nothing, never raises for a missing file."""
        ...
