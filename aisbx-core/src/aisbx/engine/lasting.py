"""Sandboxes that outlive their commands: made, joined, listed, ended. The one door, as `Engine` is for runs."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from aisbx.audit.jsontext import members
from aisbx.audit.reserve import opened, recording
from aisbx.audit.write import RESERVE, append, start
from aisbx.engine.commands import Commands
from aisbx.engine.ends import Ends
from aisbx.engine.found import ENDED, PAUSED, RUNNING, UNFINISHED, Found, UnappliedError
from aisbx.engine.keeping import check_times, end_of
from aisbx.engine.opened import Opened
from aisbx.engine.reacting import look_after, patience
from aisbx.engine.secrets import supply, without_variables
from aisbx.engine.watching import by_default
from aisbx.errors import AisbxError, StateError, UsageError
from aisbx.plan.run import new_run
from aisbx.store import Record, Store
from aisbx.types import (
    Command,
    Event,
    JoinableSandbox,
    LastingDriver,
    Outcome,
    Principal,
    RunRequest,
    Sandbox,
    SandboxSpec,
    Stdio,
)

if TYPE_CHECKING:
    from aisbx.engine.background import Background
    from aisbx.engine.engine import Engine
    from aisbx.engine.inside import Inside


class Sandboxes:
    """The lasting sandboxes of an engine's user."""

    def __init__(self, engine: "Engine") -> None:
        """Look at nothing yet."""
        self._engine, self._store = engine, Store(engine.state)
        self._commands, self._ends = Commands(engine, self._store), Ends(engine, self._store)

    def create(
        self,
        request: RunRequest,
        principal: Principal,
        host: str,
        name: str = "",
        ttl: float = 0.0,
        idle: float = 0.0,
        owner: tuple[int, int] | None = None,
    ) -> Record:
        """Make a sandbox and give its record; an AisbxError says why not, and then there is none.

        It ends after `ttl` seconds, and when nobody has used it for `idle` seconds; 0 is for neither. The request's
        command is not run. One that is watched ends with its `owner`, as of `WatchedSandbox`.
        """
        check_times(ttl, idle)
        from aisbx.engine.keep import static_record  # for systems with `posix`

        engine = self._engine
        engine.enter(request)
        admitted = engine.admit(request, principal)
        without_variables(admitted)
        prepared = supply(engine, admitted)
        driver, spec = prepared.driver, prepared.spec
        if not isinstance(driver, LastingDriver):
            raise UsageError(f"driver {driver.name} makes no sandboxes that last", hint="use aisbx run, or -d bwrap")
        spec, unwatched = by_default(driver, prepared.request, spec)
        self.sweep(principal.id, host)
        now = time.time()
        record = Record(
            name=name or f"box-{new_run()[:6]}",
            created=round(now, 3),
            clock=time.monotonic(),
            until=round(now + ttl, 3) if ttl else 0.0,
            idle=idle,
            principal=principal.id,
            driver=driver.name,
            profile=spec.profile,
            workspace=spec.workspace.path if spec.workspace else None,
            mode=spec.workspace.mode.value if spec.workspace else None,
            network=spec.network.mode.value,
            static=static_record(spec, driver.name, prepared.enforcement),
            monitored=spec.monitored,
            unwatched=unwatched,
            reacts=bool(spec.reactions or spec.detections),
        )
        environment, who = dict(prepared.request.environment), ("sandbox.create", principal.id, host)
        self.make(lambda home: driver.create(spec, home, engine.state, ttl), record, spec, environment, who, {}, owner)
        return record

    def make(
        self,
        begin: Callable[[Path], Sandbox],
        record: Record,
        spec: SandboxSpec,
        environment: dict[str, str],
        who: tuple[str, str, str],
        told: dict[str, object],
        owner: tuple[int, int] | None = None,
    ) -> None:
        """Make a sandbox by `begin`, which gets its private directory, and write it down; else leave nothing of it.

        `who` is the kind of the audit record, the principal's id and the host's name; `told` goes into it too.
        """
        engine, (kind, principal, host) = self._engine, who
        log = opened(engine.audit)

        def note() -> None:
            beginning = start(kind, record.name, principal, host, [])
            more = f",{members(told)}" if told else ""
            with recording(engine.audit["path"], f"the sandbox {record.name}, which therefore is not made,"):
                append(log, f"{beginning}{more},{record.static}}}", f"{engine.state}/{RESERVE}")

        try:
            self._make(begin, spec, record, environment, note, owner, (principal, host))
        finally:
            log.close()
        engine.emit(Event(kind, time.time(), {"sandbox": record.name, "profile": record.profile, **told}))

    def execute(
        self,
        name: str,
        command: Command,
        principal: Principal,
        stdio: Stdio,
        host: str,
        options: Mapping[str, list[str]] | None = None,
    ) -> Outcome:
        """Run a command in a sandbox that is there; an AisbxError says why it did not run.

        Under `options`, raw strings, is kept what the next command with the same options needs.
        """
        record = self._store.find(name)
        return self._commands.execute(record, self._attach(record), command, principal, stdio, host, options)

    def open(self, name: str) -> Opened:
        """Open a sandbox that is there for many commands of this process; StateError where there is none."""
        record = self._store.find(name)
        return Opened(self._engine, self._store, record, self._attach(record))

    def detach(
        self, name: str, command: Command, principal: Principal, host: str, *, terminal: bool, stdin: bool
    ) -> str:
        """Start a command in the background of a sandbox and give its id; an AisbxError says why it does not run.

        `terminal` gives it a pty, `stdin` an input that stays open; without both it has none.
        """
        engine, run = self._engine, new_run()
        record = self._store.find(name)
        sandbox = self._attach(record)
        command = self._commands.reviewed(record, sandbox, command, principal, host, run)
        opened(engine.audit).close()
        streams = {"terminal": terminal, "stdin": stdin}
        self.background(name).start(record, sandbox, command, (run, principal.id, host), **streams)
        engine.emit(Event("exec.detach", time.time(), {"run": run, "sandbox": name}))
        return run

    def background(self, name: str) -> "Background":
        """Give the commands in the background of a sandbox; StateError where there is no such sandbox."""
        from aisbx.engine.background import Background  # for systems with `posix`

        record = self._store.find(name)
        return Background(self._engine, self._store.home(record.name).parent, lambda: self._attach(record))

    def inside(self, name: str) -> "Inside":
        """Give what else can be done with a sandbox; StateError where it is not there, or has ended."""
        from aisbx.engine.inside import Inside  # no command needs it

        record = self._store.find(name)
        return Inside(self._engine, record, self._attach(record))

    def destroy(
        self, name: str, principal: Principal, host: str, *, discard: bool = False, keep: bool = False
    ) -> list[str] | None:
        """End a sandbox and remove all of it; gives what was found planted, None where there was no such sandbox.

        With changes that were not applied it stays: StateError before anything is done for a `cow` workspace; of a
        guarded one, the findings say what could not be applied. `discard` drops them; to `keep` them ends the sandbox,
        and its layer stays for review.
        """
        claim = self._store.hold(name, patience=patience(self._store, name))
        if claim is None:
            if name in self._store.names():
                raise StateError(f"another process makes or ends the sandbox {name!r}", hint="try again")
            return None
        try:
            if not discard:
                self._ends.refuse_losses(name, changes=not keep)
            findings = self._ends.end(name, claim, discard=discard)
        finally:
            claim.release()
        self._ends.note(name, principal.id, host, findings)
        return findings

    def prune(self, principal: Principal, host: str) -> list[str]:
        """Remove all that have ended or were never finished; gives their names. What has changes to apply stays."""
        gone: list[str] = []
        failed: list[AisbxError] = []
        for name in [found.name for found in self.all() if found.state in {ENDED, UNFINISHED}]:
            try:
                self.destroy(name, principal, host)
                if name not in self._store.names():
                    gone.append(name)
            except UnappliedError:
                pass
            except AisbxError as error:  # one that cannot be ended keeps no other
                failed.append(error)
        if failed:
            raise failed[0]
        return gone

    def names(self) -> list[str]:
        """Give the names of all."""
        return self._store.names()

    def all(self) -> Iterator[Found]:
        """Give every sandbox as it is now, by name."""
        for name in self._store.names():
            yield self.look(name)

    def look(self, name: str) -> Found:
        """Give one sandbox as it is now; StateError where there is none."""
        try:
            record = self._store.read(name)
        except StateError as error:
            return Found(name, UNFINISHED, problem=error.message)
        if record is None:
            return Found(name, UNFINISHED)
        try:
            sandbox = self._find(record)
            paused = sandbox.freezer is not None and sandbox.freezer.paused
        except AisbxError as error:
            problem = "" if isinstance(error, StateError) else error.message
            return Found(name, ENDED, record, problem=problem, end=end_of(self._store.home(name).parent))
        problem = ""
        try:
            look_after(self._engine, record, sandbox, self._store.home(name).parent)
        except AisbxError as error:
            problem = error.message
        return Found(name, PAUSED if paused else RUNNING, record, sandbox.enforcement, problem)

    def _make(
        self,
        begin: Callable[[Path], Sandbox],
        spec: SandboxSpec,
        record: Record,
        environment: dict[str, str],
        note: Callable[[], None],
        owner: tuple[int, int] | None,
        who: tuple[str, str],
    ) -> None:
        """Make a sandbox, `note` it and write it down, or leave nothing of it."""
        engine, noted = self._engine, False
        claim = self._store.claim(record.name)
        try:
            sandbox = begin(claim.home)
            look_after(engine, record, sandbox, claim.home.parent, owner, spec)
            noted = True
            note()  # first, so that each one that is there has been recorded, whoever is killed meanwhile
            self._store.write(record, environment, spec)
            if engine.exclusive and isinstance(sandbox, JoinableSandbox):
                self._commands.keep(record, sandbox, Command(argv=()), {}, engine.decided)
        except BaseException as error:
            findings = self._ends.end(record.name, claim, discard=True)
            if noted:
                with suppress(AisbxError):  # why it is not made is the better thing to say
                    self._ends.note(record.name, *who, findings)
            if isinstance(error, OSError):
                told = f"{error.filename or claim.home}: {error.strerror}: the sandbox is not made"
                raise StateError(told, hint="see whether there is room") from error
            raise
        finally:
            claim.release()

    def _attach(self, record: Record) -> Sandbox:
        sandbox = self._find(record)
        # Its keeper may have been killed.
        look_after(self._engine, record, sandbox, self._store.home(record.name).parent)
        return sandbox

    def _find(self, record: Record) -> Sandbox:
        driver = self._engine.driver(record.driver)
        try:
            return driver.attach(str(self._store.home(record.name)))
        except StateError as error:
            hint = f"aisbx destroy {record.name} removes what is left of it"
            raise StateError(f"sandbox {record.name}: {error.message}", hint=hint) from error

    def sweep(self, principal: str, host: str) -> None:
        """Remove what processes that were killed left half made, and record that for whoever comes upon it."""
        self._ends.sweep(principal, host)
