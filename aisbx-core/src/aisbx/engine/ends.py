"""The end of a sandbox that lasts: nothing is lost by default, and nothing is left of it."""

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from aisbx.audit.jsontext import dumps
from aisbx.audit.reserve import recording
from aisbx.audit.write import append_once, start
from aisbx.engine.found import UnappliedError
from aisbx.engine.keeping import end_of
from aisbx.engine.review import pending
from aisbx.errors import StateError
from aisbx.snapshots import Shelf
from aisbx.store import Claim, Store
from aisbx.types import DistantDriver, Event, LastingDriver, SnapshotDriver, WorkspaceMode

if TYPE_CHECKING:
    from aisbx.engine.engine import Engine


class Ends:
    """How an engine's sandboxes end."""

    def __init__(self, engine: "Engine", store: Store) -> None:
        """Look at nothing yet."""
        self._engine = engine
        self._store = store

    def end(self, name: str, claim: Claim, *, discard: bool = False) -> list[str]:
        """End a sandbox that is held, and remove it unless its layer keeps changes; gives the findings."""
        by_itself = end_of(claim.home.parent)
        findings = [] if by_itself is None else [*by_itself.findings]
        drivers = list(self._drivers(name))
        for driver in drivers:
            if discard and isinstance(driver, DistantDriver):
                findings += driver.abandon(claim.home)
            else:
                findings += driver.end(claim.home)
        self._settle(claim)
        layers = self._engine.changes.find(name)
        if layers is not None and discard:
            for _ in layers.discard():
                pass
        elif layers is not None:
            findings += layers.finish()
        if self._engine.changes.find(name) is None:
            claim.remove()
            for driver in drivers:
                if isinstance(driver, SnapshotDriver):
                    driver.sweep(self._engine.state)
        return findings

    def note(self, name: str, principal: str, host: str, findings: list[str]) -> None:
        """Record that a sandbox was ended and removed, and tell the sinks; StateError where that can't be recorded."""
        beginning = start("sandbox.destroy", name, principal, host, [])
        audit = self._engine.audit
        with recording(audit["path"], f"what was done (sandbox.destroy {name})"):
            append_once(audit, f'{beginning},"findings":{dumps(findings)}}}')
        self._engine.emit(Event("sandbox.destroy", time.time(), {"sandbox": name, "findings": findings}))

    def sweep(self, principal: str, host: str) -> None:
        """Remove what processes that were killed left half made or half removed, and record that."""
        for name in self._store.names():
            claim = self._store.hold(name) if not self._store.finished(name) else None
            if claim is not None:
                try:
                    if self._store.finished(name):
                        continue
                    findings = self.end(name, claim)
                finally:
                    claim.release()
                if not self._store.exists(name):  # else its layer keeps something, and whoever reviews that ends it
                    self.note(name, principal, host, findings)

    def refuse_losses(self, name: str, *, changes: bool = True) -> None:
        """Refuse to end what has snapshots, or `changes` that were not applied: UnappliedError."""
        if kept := Shelf(self._store.home(name).parent).all():
            tags = ", ".join(snapshot.tag for snapshot in kept)
            hint = f"aisbx snapshot rm {name} TAG, or destroy --discard {name}"
            raise UnappliedError(f"the sandbox {name!r} has snapshots: {tags}", hint=hint)
        layers = self._engine.changes.find(name) if changes else None
        with suppress(StateError):
            record = self._store.read(name)
            if layers is None or (record is not None and record.mode == WorkspaceMode.GUARDED):
                return
        if layers is not None and pending(layers):
            hint = f"see: aisbx diff {name}; then aisbx apply {name}, or destroy --discard {name}"
            raise UnappliedError(f"the sandbox {name!r} has changes that are not applied", hint=hint)

    def _settle(self, claim: Claim) -> None:
        """Let those that serve commands in the background record how these have ended."""
        if (claim.home.parent / "commands").exists():
            from aisbx.engine.background import Background

            Background(self._engine, claim.home.parent).settle()

    def _drivers(self, name: str) -> Iterator[LastingDriver]:
        """Give the driver of a sandbox; of one that is unfinished nobody knows it, so all that could be."""
        with suppress(StateError):
            record = self._store.read(name)
            if record is not None:
                driver = self._engine.driver(record.driver)
                if isinstance(driver, LastingDriver):
                    yield driver
                return
        for known in self._engine.plugins.names("driver"):
            driver = self._engine.driver(known)
            if isinstance(driver, LastingDriver):
                yield driver
