"""A sandbox that a program has open: what its commands have in common is read once, each has a record of its own."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from aisbx.admission import require_own
from aisbx.audit.kept import KeptLog
from aisbx.audit.reserve import recording, unrecordable
from aisbx.audit.write import RESERVE, AuditError, ending, members, refusal, start
from aisbx.engine.refusals import record_refusal
from aisbx.engine.relaying import wait
from aisbx.engine.requests import current
from aisbx.engine.secrets import supply_command
from aisbx.engine.shortest import Shortest
from aisbx.errors import AisbxError
from aisbx.plan.run import new_run
from aisbx.store import Record, Store
from aisbx.types import (
    Command,
    Event,
    ExecutingSandbox,
    ExitStatus,
    LimitingSandbox,
    Outcome,
    Principal,
    Process,
    Recording,
    ReleasableSandbox,
    Sandbox,
    SandboxSpec,
    Stdio,
    launch_result,
)

if TYPE_CHECKING:
    from aisbx.engine.engine import Engine
    from aisbx.engine.inside import Inside

Who = tuple[str, str, str, list[str]]
"""Run, principal, host, and what is recorded of a command."""


def reviewed(
    engine: "Engine",
    store: Store,
    record: Record,
    environment: Mapping[str, str],
    command: Command,
    principal: Principal,
    host: str,
    run: str,
) -> Command:
    """Give a command with the variables that the sandbox's maker named; PolicyError where it is denied."""
    if environment:
        command = replace(command, environment={**environment, **command.environment})
    try:
        if engine.settings.policies or engine.settings.sinks:
            engine.review(store.spec(record.name), command, principal)
        return supply_command(engine, command) if command.secrets else command
    except AisbxError as error:
        record_refusal(engine, error, "exec", run, principal, host, command.argv, record.name)
        raise


def able(
    engine: "Engine", record: Record, sandbox: Sandbox, command: Command, principal: Principal, host: str, run: str
) -> None:
    """Refuse, and record that, a command with a limit of its own that is not fully held here; ControlError."""
    try:
        if command.limits and isinstance(sandbox, LimitingSandbox):
            require_own(sandbox.check(command), engine.settings.lower)
    except AisbxError as error:
        record_refusal(engine, error, "exec", run, principal, host, command.argv, record.name)
        raise


def ended(
    engine: "Engine",
    record: Record,
    sandbox: Sandbox,
    run: str,
    status: ExitStatus,
    *,
    captured: bool,
    request: str = "",
) -> Outcome:
    """Give what came of a command, and tell the sinks; `request` is what it was started for, where others wait."""
    outcome = Outcome(
        run=run,
        status=status,
        profile=record.profile,
        driver=record.driver,
        enforcement=sandbox.enforcement,
        captured=captured,
    )
    if engine.settings.sinks:
        now, told = time.time(), {**outcome.as_record(), "sandbox": record.name}
        engine.emit(Event("exec.end", now, told, request, now - status.duration))
    return outcome


class Opened:
    """A sandbox that is there; any number of threads may start commands in it."""

    far = False
    """Whether it is a supervisor's (`aisbx.remote`)."""

    def __init__(self, engine: "Engine", store: Store, record: Record, sandbox: Sandbox) -> None:
        """Read what all commands have in common."""
        self.record = record
        self.sandbox = sandbox
        self.engine = engine
        self._store = store
        self.environment = store.environment(record.name)
        self.log = KeptLog(engine.audit, f"{engine.state}/{RESERVE}")
        self._execute = sandbox.execute if isinstance(sandbox, ExecutingSandbox) else None
        self.known = f'"sandbox":"{record.name}",{record.static}'

    def start(
        self, command: Command, stdio: Stdio, principal: Principal, host: str, words: Sequence[str] = ()
    ) -> "Started":
        """Start a command; an AisbxError says why it may not be, or cannot be recorded.

        `words` are reviewed in place of its own where those hold a program of the host's, which no policy has to read.
        """
        command, who = self._admitted(command, stdio.known, principal, host, words)
        return Started(self, self.sandbox.spawn(command, stdio), who, captured=stdio.captured)

    def shortest(self, principal: Principal, host: str, capture: int) -> "Shortest | None":
        """Give what runs commands of one user that have nothing of their own; None where `execute` is to."""
        settings = self.engine.settings
        told = settings.policies or settings.sinks or self.environment  # somebody has a say in it, or hears of it
        return None if told else Shortest(self, principal, host, capture)

    def execute(self, command: Command, stdio: Stdio, principal: Principal, host: str) -> Outcome:
        """Run a command to its end and record it; an AisbxError says why it did not run."""
        execute = self._execute
        if execute is None:
            return self.start(command, stdio, principal, host).wait()
        command, who = self._admitted(command, stdio.known, principal, host)
        compiled = self.log.compiled
        record = None
        if compiled is not None:  # is kept meanwhile
            record = Recording(compiled.address, f"{members('exec.end', *who)},{self.known}".encode("ascii"))
        request = current()
        try:
            status = execute(command, stdio, record)
        except AisbxError as error:
            self._refused(who, error, request)
            raise
        if record is None or not record.written:
            self.write(start("exec.end", *who), ending(launch_result(status)))
        return ended(self.engine, self.record, self.sandbox, who[0], status, captured=stdio.captured, request=request)

    def recorded(self, who: "Who", wait: Callable[[], ExitStatus], *, captured: bool, request: str) -> Outcome:
        """Wait for a command that was admitted and record it; raises why it did not run."""
        try:
            status = wait()
        except AisbxError as error:
            self._refused(who, error, request)
            raise
        self.write(start("exec.end", *who), ending(launch_result(status)))
        return self.ended(who[0], status, captured=captured, request=request)

    def _refused(self, who: "Who", error: AisbxError, request: str) -> None:
        what = refusal(error.code, error.message, error.hint, error.exit_code)
        self.write(start("exec.refused", *who), what)
        told = {"run": who[0], "sandbox": self.record.name, "error": error.as_record()}
        self.engine.emit(Event("exec.refused", time.time(), told, request))

    def _admitted(
        self, command: Command, stdin: bytes | None, principal: Principal, host: str, words: Sequence[str] = ()
    ) -> "tuple[Command, Who]":
        engine, run, argv = self.engine, new_run(), command.argv
        if stdin is not None:
            command = replace(command, stdin=stdin)
        if command.limits:
            able(engine, self.record, self.sandbox, command, principal, host, run)
        shown = replace(command, argv=tuple(words)) if words else command
        command = reviewed(engine, self._store, self.record, self.environment, shown, principal, host, run)
        if words:
            command = replace(command, argv=argv)
        try:
            self.log.ready()
        except AuditError as error:
            raise unrecordable(error) from None
        told = list(argv) if engine.settings.audit.argv else [argv[0]]
        return command, (run, principal.id, host, told)

    def inside(self) -> "Inside":
        """Give what else can be done with it."""
        from aisbx.engine.inside import Inside  # no command needs it

        return Inside(self.engine, self.record, self.sandbox)

    def spec(self) -> SandboxSpec:
        """Give what the sandbox was made from; StateError where that is lost."""
        return self._store.spec(self.record.name)

    def consider(
        self, argv: Sequence[str], principal: Principal, host: str, stdin: bytes | None = None, kind: str = "exec.code"
    ) -> None:
        """Review and record what a command that runs already is given to execute; an AisbxError says why it may not.

        What it reads (`stdin`) is for policies, and in no record.
        """
        run = new_run()
        command = Command(argv=tuple(argv), stdin=stdin)
        reviewed(self.engine, self._store, self.record, self.environment, command, principal, host, run)
        try:
            self.log.ready()
        except AuditError as error:
            raise unrecordable(error) from None
        told = list(argv) if self.engine.settings.audit.argv else [argv[0]]
        self.write(start(kind, run, principal.id, host, told), '"exit_code":null}')
        if self.engine.settings.sinks:
            self.engine.emit(Event(kind, time.time(), {"run": run, "sandbox": self.record.name}))

    def write(self, beginning: str, what: str) -> None:
        """Write the record of a command; StateError where it cannot be, or its head not exported."""
        with recording(self.log.path, "this command"):
            self.log.write(f"{beginning},{self.known},{what}")

    def ended(self, run: str, status: ExitStatus, *, captured: bool, request: str = "") -> Outcome:
        """Give what came of a command, and tell the sinks."""
        return ended(self.engine, self.record, self.sandbox, run, status, captured=captured, request=request)

    def release(self) -> None:
        """Let go what makes further commands fast; the sandbox stays."""
        if isinstance(self.sandbox, ReleasableSandbox):
            self.sandbox.release()


class Started:
    """A command that was started. One thread waits for it."""

    def __init__(self, opened: Opened, process: Process, who: "Who", *, captured: bool) -> None:
        """Nothing is waited for yet."""
        self.process = process
        self._opened = opened
        self._who = who
        self._captured = captured
        self._request = current()  # whoever waits is of no request

    def wait(self) -> Outcome:
        """Relay until the end and record it; raises why it did not run."""
        return self._opened.recorded(
            self._who,
            lambda: wait(self.process, exclusive=self._opened.engine.exclusive),
            captured=self._captured,
            request=self._request,
        )
