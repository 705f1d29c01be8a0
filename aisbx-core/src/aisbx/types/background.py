"""What a command that runs in the background needs: somebody who minds it, and a process that serves it alone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypedDict, runtime_checkable

from aisbx.types.launch import LaunchResult
from aisbx.types.plugin import Driver, Sandbox
from aisbx.types.request import Command
from aisbx.types.spec import SandboxSpec


class Served(Protocol):
    """A command that runs in the background, as who minds it sees it."""

    @property
    def room(self) -> int:
        """How many bytes of input it takes at present; negative where it takes no more at all."""
        ...

    @property
    def waiting(self) -> bool:
        """Whether input that was fed has not been passed on yet."""
        ...

    def feed(self, data: bytes) -> None:
        """Pass input on as far as the command reads it; nothing happens where it takes no more."""
        ...

    def end_input(self) -> None:
        """Let it see the end of its input, behind what was fed."""
        ...

    def resize(self, rows: int, columns: int) -> None:
        """Give its pty a size in character cells; ValueError where it has none."""
        ...

    def signal_all(self, number: int) -> None:
        """Send a signal to the command and to all that came of it."""
        ...

    def kill(self) -> None:
        """End the command and all that is still below it."""
        ...


class Attendant(Protocol):
    """Who minds a command: takes what it prints, and serves those who ask for it while it runs."""

    def begun(self, command: Served) -> None:
        """Take note that it runs."""
        ...

    def printed(self, stream: int, data: bytes) -> None:
        """Take what it printed on descriptor 1 or 2."""
        ...

    def steps(self) -> Mapping[int, tuple[int, Callable[[], None]]]:
        """Give what is to be waited for meanwhile: descriptor → events of poll(2) and the step to take."""
        ...


class ServingModule(Protocol):
    """The module that a `BackgroundJob` names."""

    def serve(self, data: Mapping[str, object], attendant: Attendant) -> LaunchResult:
        """Run the command to its end in a process that exists for it alone."""
        ...


class BackgroundJob(TypedDict):
    """A command for a process of its own, as plain data that marshal(3) takes; it may hold secrets."""

    root: str
    """The directory in which that process finds the module."""
    module: str
    """A `ServingModule`. It must import in an interpreter without site, and quickly."""
    data: dict[str, object]


class KeepingModule(Protocol):
    """The module that a `KeepingJob` names. It must import in an interpreter without site, and quickly."""

    def prepare(self, data: Mapping[str, object]) -> None:
        """Begin to count; OSError where the sandbox is gone."""
        ...

    def keep(self, data: Mapping[str, object]) -> str:
        """Wait until the sandbox's time is over or it has ended; gives `ttl`, `idle-ttl`, or `ended` for other causes.

        By a clock that is not set and stands still while the machine sleeps. Where it was not used for its time no
        command begins any more; called again, it lets those begin that came meanwhile, and counts on.
        """
        ...

    def end(self, data: Mapping[str, object]) -> list[str] | None:
        """End it, keep its layer, and give what was found planted; None where somebody else has ended it. OSError."""
        ...


class KeepingJob(TypedDict):
    """The end of a sandbox for a process of its own, as plain data that marshal(3) takes."""

    root: str
    """The directory in which that process finds the module."""
    module: str
    """A `KeepingModule`."""
    data: dict[str, object]


@runtime_checkable
class KeptSandbox(Sandbox, Protocol):
    """A sandbox whose end somebody can wait for and bring about."""

    def keeping(self, ttl: float, idle: float) -> KeepingJob:
        """Give what a process needs that ends it after `ttl` seconds, or when nobody has used it for `idle` seconds.

        0 is for neither. Used it is by a command from its start to its end, whoever asked for it, and by work on files;
        what a command left running is nobody's use.
        """
        ...


class Watching(Protocol):
    """What watches one sandbox."""

    def work(self, tell: Callable[[dict[str, object]], str], tick: Callable[[], bool]) -> None:
        """Watch until it has ended, and `tell` of each thing that it may not do, as `aisbx.violations` has it.

        `tell` gives back what is to be done: "" or `kill`. `tick` is called about once a second after something was
        told, until it gives False.
        """
        ...


class WatchingModule(Protocol):
    """The module that a `WatchingJob` names. It must import in an interpreter without site, and quickly."""

    def prepare(self, data: Mapping[str, object]) -> Watching:
        """Have commands told of from now on; OSError where the sandbox is gone."""
        ...

    def told(self, data: Mapping[str, object], descriptor: int) -> Watching:
        """Tell on what the program of a `WatchingJob` has seen, which it says over a socket."""
        ...


class WatchingJob(TypedDict):
    """The watching of a sandbox for a process of its own, as plain data that marshal(3) takes."""

    root: str
    """The directory in which that process finds the module."""
    module: str
    """A `WatchingModule`."""
    data: dict[str, object]
    program: str
    """An absolute path: what watches in the module's place, and has it `told` what there is to tell; "" for none."""
    told: bytes
    """What that program reads behind the path of its lock, how a recorder is started, and the recorder's job."""


@runtime_checkable
class WatchableDriver(Driver, Protocol):
    """A driver whose sandboxes can be watched at next to no cost."""

    def unwatched(self, spec: SandboxSpec) -> str:
        """Say why one of this spec is not watched unless that is asked for by name; empty where it can be."""
        ...


@runtime_checkable
class WatchedSandbox(Sandbox, Protocol):
    """A sandbox whose refused system calls can be told of, where it was made so (`SandboxSpec.monitored`)."""

    def watching(self, owner: tuple[int, int] | None) -> WatchingJob:
        """Give what a process needs that watches it; ControlError where that can't be done here.

        With `owner`, a pid and its moment of birth (proc_pid_stat(5), field 22), the sandbox ends with that process.
        """
        ...


@runtime_checkable
class BackgroundSandbox(Sandbox, Protocol):
    """A sandbox in which a command may outlive the process that asked for it."""

    def background(self, command: Command, run: str, *, terminal: bool, stdin: bool) -> BackgroundJob:
        """Give what a process needs that starts a command and serves it; UsageError for a limit that it can't have.

        `terminal` gives it a pty, `stdin` an input that stays open until somebody ends it; without both it is empty.
        """
        ...

    def signal_left(self, run: str, number: int) -> bool:
        """Send a signal to what came of such a command that has ended itself; False where nothing of it is left."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessRow:
    """A process in a sandbox: its number inside, a word for its state, seconds since the epoch, its own words."""

    pid: int
    state: str
    started: float
    argv: tuple[str, ...]


@runtime_checkable
class ObservableSandbox(Sandbox, Protocol):
    """A sandbox whose processes can be seen from outside."""

    def processes(self) -> Sequence[ProcessRow]:
        """Give what runs in it, without what only keeps it."""
        ...

    def signal(self, pid: int, number: int) -> None:
        """Send a signal to the process that has a number inside; StateError where there is none."""
        ...
