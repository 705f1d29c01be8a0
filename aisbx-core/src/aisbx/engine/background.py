"""Commands in the background of a sandbox that lasts: started, listed, found, ended. See `aisbx.background`."""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aisbx import detached
from aisbx.audit.reserve import recording
from aisbx.audit.write import RESERVE, append_once, refusal, start
from aisbx.background import record, supervisor
from aisbx.background.caller import Caller
from aisbx.background.door import SIGNAL
from aisbx.engine import requests
from aisbx.errors import StateError, UsageError
from aisbx.types import BackgroundSandbox, Command, Event, Sandbox, failed

if TYPE_CHECKING:
    from pathlib import Path

    from aisbx.background.supervisor import Job
    from aisbx.engine.engine import Engine
    from aisbx.store import Record

LOST = "lost"
"""The state of a command whose supervisor was killed: it has ended, nobody knows how."""
_PATIENCE = 10.0
_TOLD = "told"
"""In the directory of a command whose end the sinks have heard of."""
_RESULT = ("exit_code", "signal", "timed_out", "oom_killed", "pids_limited", "duration", "usage", "findings", "error")


@dataclass(frozen=True, slots=True)
class BackgroundCommand:
    """A command in the background as it is now; `place` is its directory, `row` its record."""

    id: str
    place: str
    state: str
    """`starting`, `running`, `ended` or `lost`."""
    row: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def lives(self) -> bool:
        """Whether it has not ended yet."""
        return self.state in {record.STARTING, record.RUNNING}


def background_of(sandbox: Sandbox, driver: str) -> BackgroundSandbox:
    """Give a sandbox back whose commands may outlive who asked; UsageError where the driver, by this name, has none."""
    if not isinstance(sandbox, BackgroundSandbox):
        raise UsageError(f"driver {driver} runs nothing in the background", hint="leave out --detach")
    return sandbox


class Background:
    """The commands in the background of one sandbox."""

    def __init__(self, engine: "Engine", place: "Path", attach: Callable[[], Sandbox] | None = None) -> None:
        """`place` is the sandbox's directory; `attach` finds the sandbox, for what commands have left running."""
        self._engine = engine
        self._attach = attach
        self._place = str(place)

    def start(
        self,
        found: "Record",
        sandbox: Sandbox,
        command: Command,
        who: tuple[str, str, str],
        *,
        terminal: bool,
        stdin: bool,
    ) -> None:
        """Start a command that outlives this process; an AisbxError says why it does not run.

        `who` is its id, the principal's, and the name of the host.
        """
        background = background_of(sandbox, found.driver)
        engine, (run, principal, host) = self._engine, who
        requests.remember(engine, run)
        job: Job = {
            "sandbox": self._place,
            "id": run,
            "argv": list(command.argv) if engine.settings.audit.argv else [command.argv[0]],
            "principal": principal,
            "host": host,
            "terminal": terminal,
            "stdin": stdin or terminal,
            "keep": int(command.limits.get("output", 0)),
            "audit": engine.audit,
            "reserve": f"{engine.state}/{RESERVE}",
            "static": f'"sandbox":"{found.name}",{found.static}',
            "work": background.background(command, run, terminal=terminal, stdin=stdin),
        }
        try:
            failure = detached.launch(supervisor.__file__, job)
        except detached.SilentError as silent:
            told = str(silent)
            failure = ("launch", f"the command's supervisor ended: {told}" if told else "it was ended", "try again")
        if failure is not None:
            raise failed(failure)

    def all(self) -> Iterator[BackgroundCommand]:
        """Give every command as it is now, the oldest first; of one whose supervisor was killed that is recorded."""
        found = [self._look(name) for name in self._names()]
        yield from sorted((one for one in found if one is not None), key=lambda one: one.row.get("started", 0.0))

    def find(self, beginning: str = "") -> BackgroundCommand:
        """Give the command with an id, or the beginning of one; of the last that was started where it is empty.

        StateError where there is none, UsageError where there are several.
        """
        name = os.path.basename(os.path.dirname(f"{self._place}/x"))
        names = [one for one in self._names() if one.startswith(beginning)]
        if not beginning:
            last = [*self.all()][-1:]
            if not last:
                raise StateError(f"nothing was run in the background of {name}", hint=f"aisbx exec --detach {name}")
            return last[0]
        if len(names) > 1:
            raise UsageError(f"{beginning!r} is the beginning of {len(names)} commands", hint=f"aisbx ps {name}")
        found = self._look(names[0]) if names else None
        if found is None:
            raise StateError(f"there is no command {beginning!r} in {name}", hint=f"see: aisbx ps {name}")
        return found

    def place_of(self, run: str) -> str:
        """Give the directory of a command, by its whole id."""
        return f"{self._place}/commands/{run}"

    def signal(self, command: BackgroundCommand, number: int) -> None:
        """Send a signal to a command and all that came of it, also where it has ended; StateError if nothing runs."""
        try:
            caller = Caller(command.place)
        except StateError:
            inside = self._attach() if self._attach is not None else None
            if isinstance(inside, BackgroundSandbox) and inside.signal_left(command.id, number):
                return
            raise
        try:
            caller.ask(SIGNAL, str(number).encode())
        finally:
            caller.close()

    def settle(self) -> None:
        """Wait, in a sandbox that has ended, until every command is recorded; one that does not end is killed."""
        until = time.monotonic() + _PATIENCE
        for name in self._names():
            while (one := self._look(name)) is not None and one.lives:
                if time.monotonic() > until:
                    with suppress(OSError):
                        os.kill(one.row["supervisor"], 9)
                    until += _PATIENCE
                time.sleep(0.005)

    def _names(self) -> list[str]:
        try:
            return sorted(name for name in os.listdir(f"{self._place}/commands") if name.isalnum())
        except FileNotFoundError:
            return []

    def _look(self, name: str) -> BackgroundCommand | None:
        place = f"{self._place}/commands/{name}"
        try:
            served = record.served(place)
            with open(f"{place}/{record.FILE}", "rb") as file:
                row = json.load(file)
            if row["format"] != record.FORMAT:
                raise StateError(f"{place}/{record.FILE} is of another version of aisbx", hint="destroy the sandbox")
        except FileNotFoundError:
            return None  # never begun
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StateError(f"{place}/{record.FILE} cannot be read: {error}", hint="destroy the sandbox") from error
        if row["state"] not in {record.ENDED, LOST} and not served:
            row = self._lose(place, row)
        if row["state"] in {record.ENDED, LOST} and self._engine.settings.sinks:
            self._tell(place, row)
        return BackgroundCommand(name, place, row["state"], row)

    def _tell(self, place: str, row: dict[str, Any]) -> None:
        """Have the sinks hear of a command's end, once: its supervisor has no plugins."""
        try:
            os.close(os.open(f"{place}/{_TOLD}", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        except OSError:
            return  # they have, or it cannot be noted: then the next who looks tries again
        told = {"run": row["id"], "sandbox": os.path.basename(self._place)}
        told |= {key: row[key] for key in _RESULT if key in row}
        request = requests.begun.pop(row["id"], "")
        self._engine.emit(Event("exec.end", row["ended"], told, request, row["started"]))

    def _lose(self, place: str, row: dict[str, Any]) -> dict[str, Any]:
        """Record, once, that a command has ended with its supervisor."""
        held = record.hold(place)
        try:
            with open(f"{place}/{record.FILE}", "rb") as file:
                row = json.load(file)
            if row["state"] in {record.ENDED, LOST}:
                return row
            error = {"code": "aborted", "message": "its supervisor was killed", "hint": ""}
            row |= {"state": LOST, "ended": round(time.time(), 3), "error": error}
            record.write(place, row)  # pyright: ignore[reportArgumentType]  (as it was read)
            sandbox = os.path.basename(self._place)
            beginning = start("exec.end", row["id"], row["principal"], row["host"], row["argv"])
            end = refusal("aborted", error["message"], "", 125)
            audit = self._engine.audit
            with recording(audit["path"], f"what was found (exec.end {row['id']})"):
                append_once(audit, f'{beginning},"sandbox":"{sandbox}",{end}')
        finally:
            os.close(held)
        return row
