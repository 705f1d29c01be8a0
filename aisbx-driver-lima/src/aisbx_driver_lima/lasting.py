"""`Sandbox` of the Lima driver that lasts: a bubblewrap of the guest's, which each command joins there."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from aisbx.types import (
    Command,
    Consumption,
    ControlState,
    Files,
    Freezer,
    Layers,
    Level,
    ProcessRow,
    Stdio,
)

from aisbx_driver_lima import joining
from aisbx_driver_lima.asking import Line, gone
from aisbx_driver_lima.files import GuestFiles
from aisbx_driver_lima.guest import frames
from aisbx_driver_lima.guest.commands import told
from aisbx_driver_lima.process import LimaProcess
from aisbx_driver_lima.terminal import begins
from aisbx_driver_lima.told import number

if TYPE_CHECKING:
    from aisbx_driver_lima.joining import MachinePlan
    from aisbx_driver_lima.kept import Kept
    from aisbx_driver_lima.machine import Machine


class GuestSandbox:
    """One that is there, found by its home on the host."""

    files: Files | None = None
    layers: Layers | None = None
    freezer: Freezer | None = None

    def __init__(self, home: Path, kept: "Kept", machine: "Machine", end: Callable[[Path], object]) -> None:
        """`kept` is what the host knows of it, `end` ends what has a home. Nothing is asked yet."""
        self.handle = str(home)
        self.enforcement = kept.enforcement
        self._name = kept.name
        self._line = Line(machine)
        self._socket = machine.socket
        self._end = end
        self._running: list[LimaProcess] = []
        self.files = GuestFiles(self._line, kept.name, self.ask)
        self.freezer = GuestFreezer(self.ask)

    def ask(self, what: str, *arguments: object, pickled: Sequence[object] = ()) -> Any:  # noqa: ANN401 - JSON
        """Ask the guest something of it; StateError where it has ended."""
        return self._line.ask({"op": "ask", "id": self._name, "what": what, "arguments": arguments}, *pickled)

    def spawn(self, command: Command, stdio: Stdio) -> LimaProcess:
        """Start a command; what kept it from running is raised by `LimaProcess.wait`."""
        streams = {"terminal": stdio.terminal, "stdin": stdio.stdin is not None, "size": begins(stdio)}
        asked: dict[str, object] = {"op": "execute", "id": self._name, "command": told(command)}
        channel = self._line.begin({**asked, **streams})
        process = LimaProcess(channel, stdio, list, self._line.give_back)
        self._running = [each for each in self._running if not each.over]
        self._running.append(process)
        return process

    def plan(self, command: Command) -> "MachinePlan":
        """Give how a command gets in as plain data, for `launcher` to carry out."""
        return {
            "format": joining.FORMAT,
            "launcher": joining.__name__,
            "sources": [],
            "cgroup": None,
            "home": self.handle,
            "environment": dict(command.environment),
            "cwd": command.cwd or "",
            "limits": dict(command.limits),
            "name": self._name,
            "socket": self._socket,
            "version": frames.VERSION,
        }

    def check(self, command: Command) -> list[ControlState]:
        """Say how far the command's own memory and tasks will be held, and by what."""
        rows = self.ask("check", pickled=(command,))
        try:
            return [ControlState(control, Level(level), *map(str, words)) for control, level, *words in rows]
        except (ValueError, TypeError) as error:
            raise gone(error) from error

    def processes(self) -> list[ProcessRow]:
        """Give what runs in it, but the first process."""
        try:
            return [
                ProcessRow(
                    pid=int(number(pid)),
                    state=str(state),
                    started=float(number(started)),
                    argv=tuple(map(str, argv)),
                )
                for pid, state, started, argv in self.ask("processes")
            ]
        except (ValueError, TypeError) as error:
            raise gone(error) from error

    def consumption(self) -> Consumption:
        """Say what all processes in it use, the first among them."""
        try:
            cpu, memory = self.ask("consumption")
            return Consumption(float(number(cpu)), int(number(memory)))
        except (ValueError, TypeError) as error:
            raise gone(error) from error

    def signal(self, pid: int, number: int) -> None:
        """Send a signal to the process that has a number inside; StateError where there is none."""
        self.ask("signal", pid, number)

    def release(self) -> None:
        """End the connections that are ready, and those of commands that nobody waits for."""
        for process in self._running:
            process.end()
        self._running.clear()
        self._line.close()

    def warm(self) -> None:
        """Have a connection ready, with a helper of the guest's behind it; StateError where it cannot join."""
        self.ask("warm")

    def renew(self) -> bool:
        """Tell that it has to be made anew: what it shows is a copy of what the workspace held when it was made."""
        return False

    def close(self) -> None:
        """End every process; may be called twice."""
        self.release()
        self._end(Path(self.handle))


class GuestFreezer:
    """A `Freezer` of one sandbox."""

    def __init__(self, ask: Callable[..., Any]) -> None:
        """`ask` asks something of the sandbox, and gives the answer."""
        self._ask = ask

    @property
    def mechanism(self) -> str:
        """By what it is done."""
        return f"in the guest: {self._look()[1]}"

    @property
    def paused(self) -> bool:
        """Whether it is paused."""
        return self._look()[0] is True

    def pause(self) -> None:
        """Stop every process; UsageError where it is paused."""
        self._ask("pause")

    def resume(self) -> None:
        """Let those go on that `pause` has stopped; UsageError where it is not paused."""
        self._ask("resume")

    def _look(self) -> tuple[object, object]:
        found = self._ask("look")
        if not isinstance(found, list) or len(cast("list[object]", found)) != len(("paused", "mechanism")):
            raise gone(ValueError("it does not say whether it is paused"))
        paused, mechanism = cast("list[object]", found)
        return paused, mechanism
