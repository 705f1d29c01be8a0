"""What can be done with one sandbox that lasts besides running commands: what its driver offers, and no more."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from aisbx.audit.reserve import recording
from aisbx.audit.write import RESERVE, append_once, start
from aisbx.errors import StateError, UsageError
from aisbx.types import Files, Freezer, ObservableSandbox, Principal, ProcessRow, Sandbox

if TYPE_CHECKING:
    from aisbx.engine.engine import Engine
    from aisbx.store import Record

_KILL = 9


def files_of(sandbox: Sandbox, driver: str) -> Files:
    """Give a sandbox's files; UsageError where its driver, by this name, cannot reach them."""
    if sandbox.files is None:
        raise UsageError(f"driver {driver} cannot reach its sandboxes' files", hint="exec NAME -- cat")
    return sandbox.files


def freezer_of(sandbox: Sandbox, driver: str) -> Freezer:
    """Give what pauses a sandbox; UsageError where its driver, by this name, cannot."""
    if sandbox.freezer is None:
        raise UsageError(f"driver {driver} cannot pause its sandboxes", hint="see: aisbx inspect")
    return sandbox.freezer


def observable(sandbox: Sandbox, driver: str) -> ObservableSandbox:
    """Give a sandbox back that can be looked into; UsageError where its driver, by this name, cannot."""
    if not isinstance(sandbox, ObservableSandbox):
        raise UsageError(f"driver {driver} cannot tell what runs in its sandboxes", hint="exec NAME -- ps")
    return sandbox


class Inside:
    """One sandbox that is there."""

    def __init__(self, engine: "Engine", record: "Record", sandbox: Sandbox) -> None:
        """`sandbox` is what the driver found."""
        self._engine = engine
        self._record = record
        self._sandbox = sandbox

    @property
    def paused(self) -> bool:
        """Whether it is paused."""
        return self._sandbox.freezer is not None and self._sandbox.freezer.paused

    def processes(self) -> Sequence[ProcessRow]:
        """Give what runs in it. UsageError where its driver cannot tell."""
        return self._observable().processes()

    def signal(self, pid: int, number: int) -> None:
        """Send a signal to one process, by its number inside; StateError where there is none, or it is paused."""
        self.refuse_paused(number)
        self._observable().signal(pid, number)

    def refuse_paused(self, number: int) -> None:
        """Refuse a signal that a paused sandbox could not act on; StateError."""
        if number != _KILL and self.paused:
            name = self._record.name
            raise StateError(f"the sandbox {name} is paused", hint=f"aisbx resume {name}, or -s KILL")

    def pause(self, principal: Principal, host: str) -> None:
        """Stop every process where it stands; UsageError where it is paused, or its driver cannot."""
        self._freezer().pause()
        self._note("sandbox.pause", principal, host)

    def resume(self, principal: Principal, host: str) -> None:
        """Let them go on; UsageError where it is not paused."""
        self._freezer().resume()
        self._note("sandbox.resume", principal, host)

    @property
    def files(self) -> Files:
        """Its files. UsageError where its driver cannot reach them, StateError while it is paused."""
        found = files_of(self._sandbox, self._record.driver)
        if self.paused:
            raise StateError(f"the sandbox {self._record.name} is paused", hint=f"aisbx resume {self._record.name}")
        return found

    def _freezer(self) -> Freezer:
        return freezer_of(self._sandbox, self._record.driver)

    def _observable(self) -> ObservableSandbox:
        return observable(self._sandbox, self._record.driver)

    def _note(self, kind: str, principal: Principal, host: str) -> None:
        beginning = start(kind, self._record.name, principal.id, host, [])
        audit = self._engine.audit
        with recording(audit["path"], f"what was done ({kind} {self._record.name})"):
            append_once(audit, f"{beginning}}}", f"{self._engine.state}/{RESERVE}")
