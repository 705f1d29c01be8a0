"""Snapshots of sandboxes that last, and others that begin with one. The one door, as `Sandboxes` is for their lives."""

import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from aisbx.admission import require
from aisbx.audit.jsontext import members
from aisbx.audit.reserve import recording
from aisbx.audit.write import RESERVE, append_once, start
from aisbx.engine.keeping import check_times
from aisbx.engine.secrets import supply_sandbox
from aisbx.errors import StateError, UsageError
from aisbx.plan.run import new_run
from aisbx.snapshots import Shelf, Snapshot
from aisbx.store import Claim, Record, Store
from aisbx.types import LAYERED, Command, Driver, Event, Principal, SandboxSpec, SnapshotDriver

if TYPE_CHECKING:
    from aisbx.engine.engine import Engine

_PATIENCE = 5.0


def able(driver: Driver) -> SnapshotDriver:
    """Give a driver back that takes snapshots; UsageError for any other."""
    if not isinstance(driver, SnapshotDriver):
        hint = "use another for what is to be forked: aisbx plugin list"
        raise UsageError(f"driver {driver.name} takes no snapshots of its sandboxes", hint=hint)
    return driver


class Snapshots:
    """The snapshots of an engine's user. Each call asks the sandbox's driver; UsageError where that takes none."""

    def __init__(self, engine: "Engine") -> None:
        """Look at nothing yet."""
        self._engine = engine
        self._store = Store(engine.state)

    def create(self, name: str, principal: Principal, host: str, tag: str = "") -> Snapshot:
        """Keep what a sandbox's layer holds now, also of one that has ended; without a tag it gets a number."""
        with self._held(name) as (record, driver, claim, shelf):
            tag, kept = shelf.begin(tag)
            created = round(time.time(), 3)
            mechanism = driver.snapshot(claim.home, self._engine.state, kept)
            snapshot = Snapshot(tag=tag, created=created, principal=principal.id, mechanism=mechanism)
            shelf.finish(snapshot)
        self._note("sandbox.snapshot", record, principal, host, tag=tag, mechanism=mechanism)
        return snapshot

    def all(self, name: str) -> list[Snapshot]:
        """Give a sandbox's snapshots, the oldest first; StateError where there is no such sandbox."""
        return Shelf(self._store.home(self._store.find(name).name).parent).all()

    def remove(self, name: str, tag: str, principal: Principal, host: str) -> None:
        """Remove a snapshot; what others stand on stays. StateError where there is none."""
        with self._held(name) as (record, driver, _, shelf):
            shelf.kept(tag)
            shelf.remove(tag)
            driver.sweep(self._engine.state)
        self._note("sandbox.snapshot-rm", record, principal, host, tag=tag)

    def restore(self, name: str, tag: str, principal: Principal, host: str) -> None:
        """Have a sandbox's layer hold what it did at a snapshot, and drop what came since.

        StateError where there is none, and while commands run in it.
        """
        with self._held(name) as (record, driver, claim, shelf):
            driver.restore(claim.home, self._engine.state, shelf.kept(tag))
            driver.sweep(self._engine.state)
        self._note("sandbox.restore", record, principal, host, tag=tag)

    def fork(self, name: str, new: str, principal: Principal, host: str, *, tag: str = "", ttl: float = 0.0) -> Record:
        """Make the sandbox `new` from what another was made from, with what its layer holds now, or at a snapshot.

        Processes and private files (`/tmp`, the home) are not in it. Without a name one is made up; `ttl` is its time
        to live in seconds, 0 for none.
        """
        engine = self._engine
        with self._held(name) as (origin, driver, claim, shelf):
            check_times(ttl, origin.idle)
            source = shelf.kept(tag) if tag else claim.home
            spec, environment = self._store.spec(name), self._store.environment(name)
            _unmoved(spec)
            require(spec, driver.check(spec))
            engine.review(spec, Command(argv=(), environment=environment), principal)
            given, spec = supply_sandbox(engine, driver, spec)
            now = time.time()
            record = replace(
                origin,
                name=new or f"box-{new_run()[:6]}",
                created=round(now, 3),
                clock=time.monotonic(),
                until=round(now + ttl, 3) if ttl else 0.0,
                principal=principal.id,
            )
            engine.sandboxes.make(
                lambda home: able(given).fork(spec, home, engine.state, ttl, source),
                record,
                spec,
                environment,
                ("sandbox.fork", principal.id, host),
                {"origin": name, "tag": tag or None},
            )
        return record

    @contextmanager
    def _held(self, name: str) -> Generator[tuple[Record, SnapshotDriver, Claim, Shelf]]:
        """Hold a sandbox's directory, and leave nothing half made in it."""
        record = self._store.find(name)
        driver = able(self._engine.driver(record.driver))
        if record.mode not in LAYERED:
            what = f"its workspace is {record.mode}" if record.mode else "it has no workspace"
            hint = "make it with -w DIR:cow or DIR:guarded"
            raise UsageError(f"the sandbox {name!r} has no layer of its own to be kept: {what}", hint=hint)
        claim = self._store.hold(name, patience=_PATIENCE)
        if claim is None:
            raise StateError(f"another process works on the sandbox {name!r}", hint="try again")
        shelf = Shelf(claim.home.parent)
        try:
            shelf.clear()
            yield record, driver, claim, shelf
        finally:
            shelf.clear()
            claim.release()

    def _note(self, kind: str, record: Record, principal: Principal, host: str, **told: object) -> None:
        beginning = start(kind, record.name, principal.id, host, [])
        audit = self._engine.audit
        with recording(audit["path"], f"what was done ({kind} {record.name})"):
            append_once(audit, f"{beginning},{members(told)}}}", f"{self._engine.state}/{RESERVE}")
        self._engine.emit(Event(kind, time.time(), {"sandbox": record.name, **told}))


def _unmoved(spec: SandboxSpec) -> None:
    """Check that no link leads to what a sandbox was made from; StateError where one does since."""
    for path in ([spec.workspace.path] if spec.workspace else []) + [mount.source for mount in spec.mounts]:
        if os.path.realpath(path) != path:
            raise StateError(f"{path} was moved, or a link leads to it", hint="create a sandbox anew: aisbx create")
