"""Commands of a sandbox that lasts: how one gets in, its record, and what it leaves so that the next is fast."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from aisbx.audit.reserve import unrecordable
from aisbx.audit.write import AuditError
from aisbx.engine.opened import Opened, able, ended, reviewed
from aisbx.errors import StateError
from aisbx.inputs import Inputs
from aisbx.plan.run import carry_out, new_run
from aisbx.store import Record, Store
from aisbx.types import (
    Command,
    JoinableSandbox,
    LaunchResult,
    Outcome,
    PlanEntry,
    Principal,
    Sandbox,
    Stdio,
    exit_status,
    launch_request,
)

if TYPE_CHECKING:
    from aisbx.engine.engine import Engine

KEPT = 16
"""How many plans of commands a sandbox has, the newest: one for each directory and each set of options."""


class Commands:
    """The commands of an engine's sandboxes."""

    def __init__(self, engine: "Engine", store: Store) -> None:
        """Look at nothing yet."""
        self._engine = engine
        self._store = store

    def execute(
        self,
        record: Record,
        sandbox: Sandbox,
        command: Command,
        principal: Principal,
        stdio: Stdio,
        host: str,
        options: Mapping[str, list[str]] | None = None,
    ) -> Outcome:
        """Run a command to its end; an AisbxError says why it did not run. Under `options` its plan is kept."""
        engine = self._engine
        if not engine.exclusive or not isinstance(sandbox, JoinableSandbox):
            opened = Opened(engine, self._store, record, sandbox)
            try:
                return opened.start(command, stdio, principal, host).wait()
            finally:
                opened.release()
        run = new_run()
        secret = bool(command.secrets)
        if stdio.known is not None:
            command = replace(command, stdin=stdio.known)
        command = self.reviewed(record, sandbox, command, principal, host, run)
        try:
            if options is not None and not secret:
                self.keep(record, sandbox, command, options, engine.decided)
            result = self._join(record, sandbox, command, principal, stdio, host, run)
        except AuditError as error:
            raise unrecordable(error) from None
        except ProcessLookupError:
            raise StateError(
                f"sandbox {record.name}: the sandbox has ended", hint=f"aisbx destroy {record.name}"
            ) from None
        return ended(engine, record, sandbox, run, exit_status(result), captured=stdio.captured)

    def reviewed(
        self, record: Record, sandbox: Sandbox, command: Command, principal: Principal, host: str, run: str
    ) -> Command:
        """Give a command with the variables that the sandbox's maker named; see `opened.able` and `opened.reviewed`."""
        able(self._engine, record, sandbox, command, principal, host, run)
        environment = self._store.environment(record.name)
        return reviewed(self._engine, self._store, record, environment, command, principal, host, run)

    def keep(
        self,
        record: Record,
        sandbox: JoinableSandbox,
        command: Command,
        options: Mapping[str, list[str]],
        inputs: Inputs,
    ) -> None:
        """Keep the plan of a command with these options. What the command alone has (`-e`) is no part of it."""
        engine = self._engine
        if engine.settings.policies or engine.settings.sinks:  # of somebody else's, who must see every command
            return
        from aisbx.engine.keep import keep  # for systems with `posix`

        environment = self._store.environment(record.name)
        shared = Command(argv=command.argv, environment=environment, cwd=command.cwd, limits=command.limits)
        given = {**options, "sandbox": [record.name]}
        place = self._store.plans(record.name)
        keep(self._entry(record, sandbox, shared), given, engine.cwd, inputs, place, engine.codes, KEPT)

    def _entry(self, record: Record, sandbox: JoinableSandbox, command: Command) -> PlanEntry:
        from aisbx.engine.keep import entry_of  # for systems with `posix`

        static = f'"sandbox":"{record.name}",{record.static}'
        return entry_of(
            sandbox.plan(command), static, self._engine.settings, self._engine.state, self._engine.audit, "exec"
        )

    def _join(
        self,
        record: Record,
        sandbox: JoinableSandbox,
        command: Command,
        principal: Principal,
        stdio: Stdio,
        host: str,
        run: str,
    ) -> LaunchResult:
        engine = self._engine
        wanted = launch_request(
            command,
            stdio,
            exclusive=engine.exclusive,
            state=str(engine.state),
            run=run,
            keep=0 if stdio.captured else engine.settings.logs.keep_output,
        )
        return carry_out(self._entry(record, sandbox, command), wanted, principal.id, host)
