"""`Sandbox` of a driver whose sandboxes last: made by a process of its own, joined by each command."""

import marshal
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from aisbx.errors import LaunchError, StateError
from aisbx.types import (
    BackgroundJob,
    BriefRunner,
    Command,
    Consumption,
    ControlState,
    Enforcement,
    ExitStatus,
    Files,
    Freezer,
    JoinPlan,
    KeepingJob,
    Layers,
    Level,
    LocalPlan,
    ProcessRow,
    Recorder,
    Recording,
    Stdio,
    WatchingJob,
    failed,
    given,
    launch_request,
)

from aisbx_linux.bounds import narrowed
from aisbx_linux.cgroup.below import LIMITS
from aisbx_linux.guard import Guard
from aisbx_linux.lasting import command as launcher
from aisbx_linux.lasting import end as ending
from aisbx_linux.lasting import hold, observe, prompt
from aisbx_linux.lasting.client import ROOM
from aisbx_linux.lasting.family import signal_each
from aisbx_linux.lasting.files import JoinedFiles
from aisbx_linux.lasting.freezer import TreeFreezer
from aisbx_linux.lasting.helped import Helped
from aisbx_linux.lasting.helpers import Helpers
from aisbx_linux.lasting.identity import lives, other_version, recall
from aisbx_linux.lasting.join import JoinError
from aisbx_linux.lasting.kept import Kept
from aisbx_linux.lasting.limited import states_of
from aisbx_linux.lasting.mark import left
from aisbx_linux.lasting.own import has_own
from aisbx_linux.launch import FORMAT
from aisbx_linux.layer import sized
from aisbx_linux.layer.snapshots import snapshot
from aisbx_linux.learning.ask import observed, to_observe
from aisbx_linux.sandbox import OWN_LIMITS, LocalProcess, own_limits
from aisbx_linux.watching import able
from aisbx_linux.watching.able import to_watch

_LIMITS = (*OWN_LIMITS, *LIMITS)
_ENFORCEMENT = "enforcement"


class LastingSandbox:
    """Processes that stay, found again by their `home`, a private directory (0700)."""

    files: Files | None = None
    layers: Layers | None = None
    freezer: Freezer | None = None

    def __init__(self, home: Path) -> None:
        """Find it; `home` must hold what `make` left there. StateError where it does not, or the sandbox is gone."""
        held = recall(str(home))
        other = other_version(str(home)) if held is None else held if held["plan"]["format"] != FORMAT else None
        if other is not None and lives(other):
            told = "the sandbox was made by another version of aisbx, which alone can run commands in it"
            raise LaunchError(told, hint="aisbx destroy, and make it anew")
        if held is None or not lives(held):
            raise StateError("the sandbox has ended", hint="see: aisbx ls")
        self.handle = str(home)
        self.enforcement = _recalled(home)
        self.files = JoinedFiles(self.handle)
        self.freezer = TreeFreezer(self.handle, held["first"][0], held["groups"])
        self._held = held
        self.helpers = Helpers(held, self.handle)
        """What starts its commands for this process."""
        self._home = home
        self._used = False

    def spawn(self, command: Command, stdio: Stdio) -> LocalProcess:
        """Start a command; what kept it from running is raised by `LocalProcess.wait`."""
        self._used = True
        run = os.urandom(6).hex()
        request = launch_request(command, stdio, exclusive=False, state=self._held["state"], run=run, keep=0)
        limits = own_limits(command, _LIMITS)
        if stdio.terminal:
            launch = launcher.joined(self._held, request, limits, self.handle)
        else:
            self._kept()
            plan, own = narrowed(self._held["plan"], limits), launcher.own_of(limits, run)
            launch = Helped(self.helpers, plan, request, own=own)
        launch.start()
        return LocalProcess(launch)

    def execute(self, command: Command, stdio: Stdio, record: Recording | None = None) -> ExitStatus:
        """Run a command to its end, and record it where that is to be done; raises what kept it from running."""
        captured = stdio.stdin is None and stdio.stdout is None and stdio.stderr is None and not stdio.terminal
        if captured and stdio.capture >= ROOM and not (command.limits and has_own(command.limits)):
            self._used = True
            if not self.helpers.ready:
                self._kept()
            limits = own_limits(command, _LIMITS) if command.limits else command.limits
            status = prompt.run(self.helpers, command, limits, stdio, record)
            if status is not None:
                return status
        return given(self.spawn(command, stdio).wait())

    def brief(self, capture: int, recorder: Recorder) -> BriefRunner | None:
        """Give what runs commands that have nothing of their own, None where there is no compiled library."""
        from aisbx_linux.lasting.brief import briefly

        return briefly(self.helpers, capture, recorder)

    def check(self, command: Command) -> list[ControlState]:
        """Say how far the command's own memory and tasks will be held, and by what."""
        return states_of(self._held, command.limits)

    def plan(self, command: Command) -> JoinPlan:
        """Give how a command gets in as plain data, for `launcher` to carry out."""
        return {
            "format": launcher.FORMAT,
            "launcher": launcher.__name__,
            "sources": [],
            "cgroup": None,
            "home": self.handle,
            "environment": dict(command.environment),
            "cwd": command.cwd or "",
            "limits": own_limits(command, _LIMITS),
        }

    def background(self, command: Command, run: str, *, terminal: bool, stdin: bool) -> BackgroundJob:
        """Give what a process needs that starts a command here and serves it alone."""
        stdio = Stdio(terminal=terminal)
        request = launch_request(command, stdio, exclusive=True, state=self._held["state"], run=run, keep=0)
        data: dict[str, object] = {
            "home": self.handle,
            "request": dict(request),
            "limits": own_limits(command, _LIMITS),
            "stdin": stdin,
        }
        root = str(Path(__file__).parents[2])
        return {"root": root, "module": "aisbx_linux.lasting.served", "data": data}

    def keeping(self, ttl: float, idle: float) -> KeepingJob:
        """Give what a process needs that ends it after `ttl` seconds, or when nobody has used it for `idle` seconds."""
        data: dict[str, object] = {"home": self.handle, "ttl": ttl, "idle": idle}
        return {"root": str(Path(__file__).parents[2]), "module": "aisbx_linux.lasting.keeping", "data": data}

    def watching(self, owner: tuple[int, int] | None) -> WatchingJob:
        """Give what a process needs that watches it; with `owner`, a pid and its birth, it ends with that process."""
        if self._held["watch"] is None:
            raise StateError("the sandbox was made without being watched", hint="aisbx create --monitor")
        data = to_watch(self._held, self.handle)
        program = "" if able.uncompiled() else able.program()
        return {
            "root": str(Path(__file__).parents[2]),
            "module": "aisbx_linux.watching.serve",
            "data": {**data, "owner": owner},
            "program": program,
            "told": able.told(self._held, self.handle, owner) if program else b"",
        }

    def observing(self, owner: tuple[int, int]) -> WatchingJob:
        """Give what a process needs that observes it, and ends it with `owner`, a pid and its birth."""
        if self._held["record"] is None:
            raise StateError("the sandbox was not made to be learned from", hint="aisbx learn makes one")
        data = to_observe(self._held, self.handle, owner)
        root = str(Path(__file__).parents[2])
        return {"root": root, "module": "aisbx_linux.learning.serve", "data": data, "program": "", "told": b""}

    def observed(self) -> dict[str, object]:
        """Give what that process saw; StateError where it is gone."""
        return observed(self.handle)

    def processes(self) -> list[ProcessRow]:
        """Give what runs in it, but the first process."""
        return observe.processes(self._held["first"][0])

    def consumption(self) -> Consumption:
        """Say what all processes in it use, the first among them."""
        return observe.consumption(self._held["first"][0])

    def signal(self, pid: int, number: int) -> None:
        """Send a signal to the process that has a number inside; StateError where there is none."""
        observe.send(self._held["first"][0], pid, number)

    def signal_left(self, run: str, number: int) -> bool:
        """Send a signal to what came of a command in the background that has ended; False where nothing is left."""
        first = self._held["first"][0]
        return signal_each(lambda: left(first, run), number)

    def close(self) -> None:
        """End every process; may be called twice. What was planted meanwhile is undone, see `end`."""
        self.release()
        end(self._home)

    def warm(self) -> None:
        """Have a helper that waits, and what the end of a command takes; StateError where it cannot join."""
        for name in ("settle", "remember", "undo"):  # some milliseconds, which the first command would wait for
            import_module(f"aisbx_linux.protect.{name}")
        self._kept()
        try:
            self.helpers.give_back(self.helpers.take())
        except JoinError as error:
            raise StateError(str(error), hint="see: aisbx ls") from None

    def renew(self) -> bool:
        """Before anything has run in it, take what the workspace holds now as what it was made with."""
        if self._used or not lives(self._held):
            return False
        guard = Guard(self._held["plan"], self._held["state"], "")
        try:
            self._kept().remember(guard)
            return guard.renew(f"{self.handle}/baseline")
        except (OSError, StateError):
            return False

    def _kept(self) -> Kept:
        try:
            return self.helpers.kept()
        except (FileNotFoundError, ProcessLookupError):
            raise StateError("the sandbox has ended", hint="see: aisbx ls") from None

    def release(self) -> None:
        """Let go what makes further commands fast; more may follow all the same."""
        self.helpers.close()


def make(  # noqa: PLR0913, PLR0917 - what a first process is made with, by one caller
    plan: LocalPlan,
    enforcement: Enforcement,
    home: Path,
    state: Path,
    seconds: float,
    origin: Path | None = None,
    first: LocalPlan | None = None,
    watched: tuple[Sequence[str], bool] | None = None,
    recorded: tuple[Sequence[str], Sequence[int]] | None = None,
) -> None:
    """Make a sandbox; `state` is where runs keep what they know of workspaces. Raises what kept it from being made.

    Its layer begins with `origin`: a snapshot, or what another sandbox, of which it is the home, has now. `first` is
    the plan with all that only its first process is launched with: it is kept nowhere, as `plan` is. Where it is to be
    `watched`, these are the groups of calls that its filter allows, and whether probes are told; `recorded` are those
    groups, and the numbers of the calls that are told of though they are allowed.
    """
    rows = [(row.control, row.level.value, row.mechanism, row.reason, row.remedy) for row in enforcement.states]
    (home / _ENFORCEMENT).write_bytes(marshal.dumps(rows))
    groups = None if watched is None else (list(watched[0]), watched[1])
    calls = None if recorded is None else (list(recorded[0]), list(recorded[1]))
    told = marshal.dumps((plan, str(state), str(home), int(seconds), str(origin or ""), first or plan, groups, calls))  # pyright: ignore[reportArgumentType]  (plain data)
    done = subprocess.run([sys.executable, "-I", "-S", hold.__file__], input=told, capture_output=True, check=False)
    try:
        failure = marshal.loads(done.stdout)  # noqa: S302 - from the process that was started here
    except (EOFError, ValueError):
        failure = ("launch", f"the sandbox could not be made: {done.stderr.decode(errors='replace')[-500:]}", "")
    if failure == hold.BUSY and origin is not None:
        place = home / "origin"  # goes with the sandbox
        place.mkdir(mode=0o700)
        snapshot(origin, state, place)
        make(plan, enforcement, home, state, seconds, place, first, watched, recorded)
    elif failure is not None:
        raise failed(failure)


def _recalled(home: Path) -> Enforcement:
    rows = marshal.loads((home / _ENFORCEMENT).read_bytes())  # noqa: S302 - in a private directory of ours
    return Enforcement.of(ControlState(control, Level(level), *words) for control, level, *words in rows)


def end(home: Path) -> list[str]:
    """End a sandbox, see `aisbx_linux.lasting.end`; StateError where it does not end."""
    try:
        found = ending.end(str(home))
        sized.clear(home / "layer")
    except OSError as error:
        raise StateError(str(error), hint="it may hang in the kernel: try again") from error
    return found
