"""A sandbox that a program has open: what its commands have in common is read once, each has a record of its own."""

import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from aisbx.audit.reserve import unrecordable
from aisbx.audit.write import RESERVE, AuditError, append, ending, open_log, refusal, start
from aisbx.errors import AisbxError, StateError
from aisbx.plan.run import new_run
from aisbx.store import Record, Store
from aisbx.types import (
    Command,
    Event,
    LaunchResult,
    Outcome,
    Principal,
    Process,
    ReleasableSandbox,
    Sandbox,
    Stdio,
    exit_status,
    launch_result,
)

if TYPE_CHECKING:
    from aisbx.engine.engine import Engine


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
    given = {**environment, **command.environment}
    command = Command(argv=command.argv, environment=given, cwd=command.cwd, limits=command.limits)
    if engine.settings.policies:
        try:
            engine.review(store.spec(record.name), command, principal)
        except AisbxError as error:
            engine.record_refusal(error, "exec", run, principal, host, command.argv)
            raise
    return command


def ended(
    engine: "Engine", record: Record, sandbox: Sandbox, run: str, result: LaunchResult, *, captured: bool
) -> Outcome:
    """Give what came of a command, and tell the sinks; raises what kept it from running."""
    outcome = Outcome(
        run=run,
        status=exit_status(result),
        profile=record.profile,
        driver=record.driver,
        enforcement=sandbox.enforcement,
        captured=captured,
    )
    if engine.settings.sinks:
        engine.emit(Event("exec.end", time.time(), {**outcome.as_record(), "sandbox": record.name}))
    return outcome


class Opened:
    """A sandbox that is there; any number of threads may start commands in it."""

    def __init__(self, engine: "Engine", store: Store, record: Record, sandbox: Sandbox) -> None:
        """Read what all commands have in common."""
        self.record = record
        self.sandbox = sandbox
        self.engine = engine
        self._store = store
        self._environment = store.environment(record.name)

    def start(self, command: Command, stdio: Stdio, principal: Principal, host: str) -> "Started":
        """Start a command; an AisbxError says why it may not be, or cannot be recorded."""
        engine, run = self.engine, new_run()
        command = reviewed(engine, self._store, self.record, self._environment, command, principal, host, run)
        try:
            log = open_log(engine.audit)
        except AuditError as error:
            raise unrecordable(error) from None
        argv = list(command.argv) if engine.settings.audit.argv else [command.argv[0]]
        try:
            process = self.sandbox.spawn(command, stdio)
        except BaseException:
            os.close(log)
            raise
        return Started(self, process, (run, principal.id, host, argv), log, stdio)

    def release(self) -> None:
        """Let go what makes further commands fast; the sandbox stays."""
        if isinstance(self.sandbox, ReleasableSandbox):
            self.sandbox.release()


class Started:
    """A command that was started. One thread waits for it."""

    def __init__(
        self, opened: Opened, process: Process, who: tuple[str, str, str, list[str]], log: int, stdio: Stdio
    ) -> None:
        """`who` are run, principal, host and what is recorded of the command; `log` is open for its record."""
        self.process = process
        self._opened = opened
        self._who = who
        self._log = log
        self._captured = stdio.captured

    def wait(self) -> Outcome:
        """Relay until the end and record it; raises why it did not run."""
        try:
            result = launch_result(self.process.wait())
        except AisbxError as error:
            self._record("exec.refused", refusal(error.code, error.message, error.hint, error.exit_code))
            raise
        self._record("exec.end", ending(result))
        opened = self._opened
        return ended(opened.engine, opened.record, opened.sandbox, self._who[0], result, captured=self._captured)

    def _record(self, kind: str, what: str) -> None:
        record, engine = self._opened.record, self._opened.engine
        run, principal, host, argv = self._who
        line = f'{start(kind, run, principal, host, argv)},"sandbox":"{record.name}",{record.static},{what}'
        try:
            append(self._log, line, f"{engine.state}/{RESERVE}")
        except OSError as error:
            hint = "make room there"
            raise StateError(f"{engine.audit}: {error.strerror}: this command has no record", hint=hint) from error
        finally:
            os.close(self._log)
