"""Admission, launch and record of one run."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from aisbx.admission import require
from aisbx.audit.places import place
from aisbx.audit.reserve import reserve, unrecordable
from aisbx.audit.write import RESERVE, AuditError, append, ending, open_log, start
from aisbx.engine import relaying, requests, secrets
from aisbx.engine.policies import ask
from aisbx.engine.prepare import AUTO, Preparation, Prepared, Preview, directories
from aisbx.engine.refusals import record_refusal
from aisbx.engine.watching import run_watched
from aisbx.errors import AisbxError, LaunchError, WorkspaceError
from aisbx.inputs import Inputs
from aisbx.paths import cache_dir, config_dir, ensure_private, state_dir
from aisbx.plan.run import carry_out, new_run
from aisbx.plugins import Plugins
from aisbx.settings import Settings, load
from aisbx.types import (
    AuditPlace,
    Command,
    Driver,
    Event,
    LaunchResult,
    LocalDriver,
    Outcome,
    PlanEntry,
    Principal,
    RunRequest,
    SandboxSpec,
    Stdio,
    exit_status,
    launch_request,
    launch_result,
)
from aisbx.workspace import shows

if TYPE_CHECKING:
    from aisbx.doctor import DoctorRow
    from aisbx.engine.lasting import Sandboxes
    from aisbx.engine.review import Review
    from aisbx.engine.sinks import Sinks
    from aisbx.engine.snapshots import Snapshots


class Engine:
    """Runs requests for one environment and directory; every host has one, and nothing else starts a sandbox."""

    def __init__(self, environ: Mapping[str, str], cwd: str, *, exclusive: bool = False) -> None:
        """Read the settings. `exclusive`: this process serves one run only, so signals and orphans are the run's."""
        self._inputs = Inputs(environ)
        self.cwd = cwd
        self.exclusive = exclusive
        self.settings: Settings = load(environ, cwd, self._inputs)
        self.state = state_dir(self._inputs)
        self._cache = cache_dir(self._inputs)
        self.plugins = Plugins(self.settings.plugins.allow, self.settings.plugins.disable)
        self.decided = self._inputs.copy()
        """What the settings and places alone were made from, without any request."""
        self._sinks: Sinks | None = None
        self._preparation = Preparation(environ, self.settings, self.plugins, self._inputs)

    def run(
        self,
        request: RunRequest,
        principal: Principal,
        stdio: Stdio,
        host: str = "cli",
        options: dict[str, list[str]] | None = None,
        planned: "Callable[[PlanEntry | None, Prepared], None] | None" = None,
    ) -> Outcome:
        """Run one command in a sandbox of its own; an AisbxError says why it was refused, and nothing has run.

        `options` are the raw strings that the request came from, under which its plan is kept for the next run.
        `planned` gets a plan that may be kept, before the launch; None where there is none.
        """
        if request.monitor:
            return run_watched(self, request, principal, stdio, host)
        run = new_run()
        with requests.request(self, host, "run", principal.id):
            try:
                self._preparation.enter(request)
            except WorkspaceError as error:
                # Else a command can have put a link in their place, or have read the key.
                if not any(
                    shows(request, str(place), self._inputs) for place in (self.state, config_dir(self._inputs))
                ):
                    ensure_private(self.state)
                    record_refusal(self, error, "run", run, principal, host, request.command)
                raise
            self._make_directories()
            try:
                admitted = self.admit(request, principal, stdio.known)
                if admitted.spec.reactions or admitted.spec.detections:
                    if planned is not None:
                        planned(None, admitted)
                    return run_watched(self, request, principal, stdio, host)
                prepared = secrets.supply(self, admitted)
            except AisbxError as error:
                record_refusal(self, error, "run", run, principal, host, request.command)
                raise
            try:
                result, captured = self._launch(prepared, principal, stdio, run, host, options, planned)
            except AuditError as error:
                raise unrecordable(error) from None
            try:
                status = exit_status(result)
            except LaunchError as error:
                explained = self.explain(request, error, options)
                explained.findings = error.findings
                raise explained from None
            outcome = Outcome(
                run=run,
                status=status,
                profile=prepared.spec.profile,
                driver=prepared.driver.name,
                enforcement=prepared.enforcement,
                captured=captured,
            )
            self.emit(Event("run.end", now := time.time(), outcome.as_record(), began=now - status.duration))
            return outcome

    def explain(self, request: RunRequest, error: LaunchError, options: dict[str, list[str]] | None) -> AisbxError:
        """Say why a launch failed, and drop its plan if `options` has one, so that the next run is planned anew."""
        if options is not None:
            from aisbx.engine.keep import drop

            drop(options, self.cwd, self._cache / "plans")
        return self._preparation.explain(request, error)

    @property
    def sandboxes(self) -> "Sandboxes":
        """The sandboxes that last."""
        from aisbx.engine.lasting import Sandboxes  # no run needs it

        return Sandboxes(self)

    @property
    def codes(self) -> Path:
        """Where the code is that plans have in common."""
        return self._cache / "code"

    @property
    def changes(self) -> "Review":
        """What they changed."""
        from aisbx.engine.review import Review

        return Review(self)

    @property
    def snapshots(self) -> "Snapshots":
        """What was kept of their layers."""
        from aisbx.engine.snapshots import Snapshots

        return Snapshots(self)

    @property
    def audit(self) -> AuditPlace:
        """Where the audit log is, and how it is kept."""
        said = self.settings.audit
        return place(self.state, config_dir(self._inputs), said.rotate, said.keep, said.export)

    def driver(self, name: str) -> Driver:
        """Give an installed driver."""
        return self._preparation.load(name)

    def enter(self, request: RunRequest) -> None:
        """See that the workspace shows nothing of ours, then make our directories. WorkspaceError else."""
        self._preparation.enter(request)
        self._make_directories()

    def preview(self, request: RunRequest) -> Preview:
        """Say what a run would be; nothing is started."""
        return self._preparation.preview(request)

    def doctor(self, usual: RunRequest | None = None) -> "list[DoctorRow]":
        """Say what works here, for `usual` or a run with the defaults, by what mechanism, and what mends the rest."""
        from aisbx.doctor import examine  # no run needs it

        places = {"configuration": str(config_dir(self._inputs)), "state": str(self.state), "cache": str(self._cache)}
        # What holds now, and nothing is kept; a host that serves has a cache, where layers are tried out.
        load = partial(self._preparation.load, cache=str(self._cache) if usual else os.devnull)
        store = partial(secrets.load, plugins=self.plugins, settings=self.settings, inputs=self._inputs)
        usual = usual or RunRequest(command=("true",), cwd=self.cwd)
        spec = partial(self._preparation.resolve, usual, cache=os.devnull)
        return examine(self.plugins, load, places, lambda: spec()[0], store)

    def admit(self, request: RunRequest, principal: Principal, stdin: bytes | None = None) -> Prepared:
        """Resolve a request, and refuse it where a control does not hold or a policy denies it; nothing is started."""
        with requests.stage(self, "admission.end"):
            prepared = self._preparation.prepare(request, principal.id)
            require(prepared.spec, prepared.enforcement)
            secrets.admit(self, prepared)
        command = Command(argv=prepared.request.command, environment=prepared.request.environment, stdin=stdin)
        self.review(prepared.spec, command, principal)
        return prepared

    def review(self, spec: SandboxSpec, command: Command, principal: Principal) -> None:
        """Ask every policy that is in force; an AisbxError is a denial, or says which sink cannot be had."""
        if self.settings.sinks:
            self.sinks.ready()
        for name in self.settings.policies:
            with requests.stage(self, "policy.end", policy=name):
                ask(name, self.plugins, {"directory": str(config_dir(self._inputs))}, spec, command, principal)

    @property
    def sinks(self) -> "Sinks":
        """Those that hear of what happens."""
        if self._sinks is None:
            from aisbx.engine.sinks import Sinks  # most have none

            self._sinks = Sinks(self.plugins, self.settings, hold=self.exclusive)
        return self._sinks

    def emit(self, event: Event) -> None:
        """Hand an event to every sink."""
        if self.settings.sinks:
            self.sinks.emit(event)

    def _launch(
        self,
        prepared: Prepared,
        principal: Principal,
        stdio: Stdio,
        run: str,
        host: str,
        options: dict[str, list[str]] | None,
        planned: "Callable[[PlanEntry | None, Prepared], None] | None",
    ) -> tuple[LaunchResult, bool]:
        from aisbx.engine import keep as kept  # plans are for systems with `posix`

        request, driver, spec = prepared.request, prepared.driver, prepared.spec
        command = Command(argv=request.command, environment=request.environment)
        record = kept.static_record(spec, driver.name, prepared.enforcement)
        # A policy or a sink of somebody else's must see every run, so those take the full path.
        keeps = isinstance(driver, LocalDriver) and not self.settings.policies and not self.settings.sinks
        keeps = keeps and not spec.secrets and request.driver != AUTO  # has their values; what is stronger may come
        if planned is not None and not keeps:
            planned(None, prepared)
        if not isinstance(driver, LocalDriver):
            return self._launch_elsewhere(prepared, command, stdio, (run, principal.id, host, record)), stdio.captured
        plan = driver.plan(spec)
        entry: PlanEntry = kept.entry_of(plan, record, self.settings, self.state, self.audit)
        if (options is not None or planned is not None) and keeps:
            kept.note(plan, self._inputs)
            if planned is not None:
                kept.record_inputs(entry, self._inputs)
                planned(entry, prepared)
            if options is not None:
                kept.keep(entry, options, self.cwd, self._inputs, self._cache / "plans", self.codes, kept.KEPT)
        wanted = launch_request(
            command,
            stdio,
            exclusive=self.exclusive,
            state=str(self.state),
            run=run,
            keep=0 if stdio.captured else self.settings.logs.keep_output,
        )
        return carry_out(entry, wanted, principal.id, host), stdio.captured

    def _launch_elsewhere(
        self, prepared: Prepared, command: Command, stdio: Stdio, who: tuple[str, str, str, str]
    ) -> LaunchResult:
        """Open, spawn, close: what a run is for a driver whose launch is no local plan."""
        run, principal, host, record = who
        log = open_log(self.audit)
        try:
            sandbox = prepared.driver.open(prepared.spec, self.state)
            try:
                status = relaying.wait(sandbox.spawn(command, stdio), exclusive=self.exclusive)
            finally:
                sandbox.close()
            result = launch_result(status)
            append(log, f"{start('run.end', run, principal, host, self.told(command.argv))},{record},{ending(result)}")
        finally:
            log.close()
        return result

    def told(self, argv: Sequence[str]) -> list[str]:
        """Give what a record has of a command."""
        return list(argv) if self.settings.audit.argv else list(argv[:1])

    def _make_directories(self) -> None:
        # The configuration's, for the log's key: were it made at the launch, the first plan would be stale at once.
        for directory in (*directories(self.state, self._cache), config_dir(self._inputs)):
            ensure_private(Path(directory))
        # With a plan at hand nobody looks at it again, so a plan ends with it.
        self._inputs.note(reserve(str(self.state / RESERVE)))
