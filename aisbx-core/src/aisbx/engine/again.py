"""One-shot runs of one program: the plan of one serves the next, while all that it was made from is the same.

What the lean front does with files (`aisbx.plan.recall`), for a process that stays. A plan is in its memory only.
"""

import os
import threading
from collections.abc import Callable
from dataclasses import replace

from aisbx.audit.reserve import unrecordable
from aisbx.audit.write import AuditError
from aisbx.engine.engine import Engine
from aisbx.engine.fronted import Fronted, fronted, usual
from aisbx.engine.prepare import Prepared
from aisbx.errors import LaunchError
from aisbx.plan.recall import holds
from aisbx.plan.run import carry_out, new_run
from aisbx.types import (
    Command,
    LaunchRequest,
    LaunchResult,
    Outcome,
    PlanEntry,
    Principal,
    RunRequest,
    Stdio,
    exit_status,
    launch_request,
)

_Found = tuple[PlanEntry, Prepared, Fronted | None]
_MOST = 32
"""Plans that a process keeps, the newest; each has some 100 KB."""


class Runs:
    """Runs with their plans kept; any number of threads may use it."""

    def __init__(self) -> None:
        """Keep none yet."""
        self._plans: dict[str, _Found] = {}
        self._planning = threading.RLock()

    def run(
        self, engine: Callable[[], Engine], request: RunRequest, principal: Principal, stdio: Stdio, host: str
    ) -> Outcome:
        """Run one command in a sandbox of its own, as `Engine.run`; `engine` is asked for where there is no plan."""
        name = repr((os.geteuid(), replace(request, command=(), environment={})))
        outcome = self._by_front(name, engine, request, principal, stdio, host)
        if outcome is not None:
            return outcome
        found = self._find(name)
        if found is None:
            held = self._planning.acquire()
            try:
                found = self._find(name)  # of many at once that need the same plan, one makes it
                if found is None:

                    def planned(entry: PlanEntry | None, prepared: Prepared) -> None:
                        nonlocal held
                        if entry is not None:
                            self._add(name, entry, prepared)
                        self._planning.release()
                        held = False

                    return engine().run(request, principal, stdio, host, planned=planned)
            finally:
                if held:
                    self._planning.release()
            outcome = self._by_front(name, engine, request, principal, stdio, host)
        return outcome or self._carry_out(name, found, engine, request, principal, stdio, host)

    def _find(self, name: str) -> "_Found | None":
        found = self._plans.get(name)
        return found if found is not None and holds(found[0], os.environb) else None

    def _add(self, name: str, entry: PlanEntry, prepared: Prepared) -> None:
        self._plans.pop(name, None)
        self._plans[name] = (entry, prepared, fronted(entry))
        while len(self._plans) > _MOST:
            del self._plans[next(iter(self._plans))]

    def _by_front(
        self,
        name: str,
        engine: Callable[[], Engine],
        request: RunRequest,
        principal: Principal,
        stdio: Stdio,
        host: str,
    ) -> Outcome | None:
        """Run by the compiled front; None where nothing has run, for it looks itself whether a plan holds."""
        found = self._plans.get(name)
        if found is None or found[2] is None or not usual(stdio):
            return None
        wanted = _wanted(found[0], request, stdio)
        result = found[2].run(wanted, principal.id, host)
        if result is None:
            return None
        return self._outcome(name, found, engine, request, stdio, wanted["run"], lambda: result)

    def _carry_out(
        self,
        name: str,
        found: "_Found",
        engine: Callable[[], Engine],
        request: RunRequest,
        principal: Principal,
        stdio: Stdio,
        host: str,
    ) -> Outcome:
        entry = found[0]
        wanted = _wanted(entry, request, stdio)

        def launched() -> LaunchResult:
            try:
                return carry_out(entry, wanted, principal.id, host)
            except AuditError as error:
                raise unrecordable(error) from None

        return self._outcome(name, found, engine, request, stdio, wanted["run"], launched)

    def _outcome(
        self,
        name: str,
        found: "_Found",
        engine: Callable[[], Engine],
        request: RunRequest,
        stdio: Stdio,
        run: str,
        launched: Callable[[], LaunchResult],
    ) -> Outcome:
        prepared = found[1]
        try:
            status = exit_status(launched())
        except LaunchError as error:
            self._plans.pop(name, None)
            explained = engine().explain(request, error, None)
            explained.findings = error.findings
            raise explained from None
        return Outcome(
            run=run,
            status=status,
            profile=prepared.spec.profile,
            driver=prepared.driver.name,
            enforcement=prepared.enforcement,
            captured=stdio.captured,
        )


def _wanted(entry: PlanEntry, request: RunRequest, stdio: Stdio) -> LaunchRequest:
    command = Command(argv=request.command, environment=request.environment)
    keep = 0 if stdio.captured else entry["keep_output"]
    return launch_request(command, stdio, exclusive=False, state=entry["state"], run=new_run(), keep=keep)


shared = Runs()
"""Those of this process."""
os.register_at_fork(after_in_child=shared.__init__)  # another thread may have been at it
