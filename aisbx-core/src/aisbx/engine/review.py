"""What sandboxes changed: looked at, applied or discarded. The one door, as `Sandboxes` is for their lives."""

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from aisbx.audit.jsontext import dumps
from aisbx.audit.reserve import opened, recording
from aisbx.audit.write import Log, append, start
from aisbx.errors import StateError, UsageError
from aisbx.paths import ensure_private
from aisbx.store import Store
from aisbx.types import Change, LayeringDriver, Layers, Principal

if TYPE_CHECKING:
    from aisbx.engine.engine import Engine

_RUN = frozenset("0123456789abcdef")
_RUN_LENGTH = 12


class Review:
    """The layers of an engine's user: those of sandboxes that last, and those that runs have left."""

    def __init__(self, engine: "Engine") -> None:
        """Look at nothing yet."""
        self._engine = engine
        self._store = Store(engine.state)

    def runs(self) -> list[str]:
        """Give the ids of the runs that have left a layer."""
        try:
            found = sorted(filter(_is_run, os.listdir(self._engine.state / "layers")))
        except FileNotFoundError:
            return []
        return [run for run in found if (layers := self.find(run)) is not None and not layers.live]

    def layers(self, name: str) -> Layers:
        """Give the layer of a sandbox or of a run; StateError where there is none."""
        found = self.find(name)
        if found is not None:
            return found
        if name in self._store.names():
            mode = self._store.find(name).mode
            hint = "its changes are in the workspace already" if mode == "rw" else "nothing was kept of it"
            raise StateError(f"the sandbox {name!r} has no layer to be reviewed", hint=hint)
        raise StateError(f"there is no sandbox {name!r}, and no layer of such a run", hint="see: aisbx ls")

    def find(self, name: str) -> Layers | None:
        """Give the layer of a sandbox or of a run, None where there is none."""
        if name in self._store.names():
            home = self._store.home(name)
        elif _is_run(name):
            home = ensure_private(self._engine.state) / "layers" / name
        else:
            return None
        for known in self._engine.plugins.names("driver"):
            driver = self._engine.driver(known)
            if isinstance(driver, LayeringDriver) and (found := driver.layers(home)) is not None:
                return found
        return None

    def apply(
        self, name: str, paths: Sequence[str], principal: Principal, host: str, *, force: bool = False
    ) -> Iterator[tuple[Change, str]]:
        """Apply changes; gives each with "", or with why it was left. All of it goes into one record."""
        if force and not paths:
            raise UsageError("--force goes over the host's changes", hint="name the paths that it is for")
        layers = self.layers(name)
        named = _known(name, layers, paths)
        log = opened(self._engine.audit)
        done: list[str] = []
        left = 0
        try:
            for change, why in layers.apply(named, force=force):
                left += bool(why)
                if not why:
                    done.append(change.path)
                yield change, why
        finally:
            self._record(log, "sandbox.apply", name, principal, host, done, left)
        if not left and not layers.live and not paths:
            layers.finish()

    def discard(self, name: str, paths: Sequence[str], principal: Principal, host: str) -> Iterator[Change]:
        """Drop changes; gives each."""
        layers = self.layers(name)
        named = _known(name, layers, paths)
        log = opened(self._engine.audit)
        done: list[str] = []
        try:
            for change in layers.discard(named):
                done.append(change.path)
                yield change
        finally:
            self._record(log, "sandbox.discard", name, principal, host, done, 0)

    def _record(
        self, log: Log, kind: str, name: str, principal: Principal, host: str, done: list[str], left: int
    ) -> None:
        paths = dumps(done[:_MOST_RECORDED])
        beginning = start(kind, name, principal.id, host, [])
        try:
            with recording(log.place["path"], f"what was done ({kind} {name})"):
                append(log, f'{beginning},"paths":{paths},"changes":{len(done)},"left":{left}}}')
        finally:
            log.close()


_MOST_RECORDED = 1000


def pending(layers: Layers) -> bool:
    """Tell whether there is anything to be applied or discarded; a socket whose server has gone is nothing."""
    return any(change.kind != "socket" for change in layers.changes())


def below(workspace: str, paths: Sequence[str]) -> list[str]:
    """Give paths as they are below a workspace: absolute ones lie in it, others are meant so. UsageError for others."""
    found: list[str] = []
    for path in paths:
        whole = os.path.normpath(os.path.join(workspace, path))
        if whole == workspace:
            return []
        if not whole.startswith(f"{workspace}/"):
            raise UsageError(f"{path} does not lie in the workspace {workspace}", hint="see: aisbx diff --name-only")
        found.append(whole[len(workspace) + 1 :])
    return found


def _known(name: str, layers: Layers, paths: Sequence[str]) -> list[str]:
    """Give paths as `below` does; StateError for one that nothing has in the workspace or the layer: it is mistyped."""
    found = below(layers.workspace, paths)
    for path in found:
        there = os.path.lexists(f"{layers.workspace}/{path}")
        if not there and next(iter(layers.changes([path])), None) is None:
            raise StateError(f"{path}: nothing there was changed", hint=f"see: aisbx diff {name} --name-only")
    return found


def _is_run(name: str) -> bool:
    return len(name) == _RUN_LENGTH and _RUN.issuperset(name)
