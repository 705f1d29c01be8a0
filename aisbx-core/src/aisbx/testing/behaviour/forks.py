"""Snapshots and forks, of drivers that have them."""

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from aisbx.admission import unmet
from aisbx.engine.snapshots import able
from aisbx.errors import UsageError
from aisbx.testing.behaviour.base import Base
from aisbx.testing.scene import Scene
from aisbx.types import Driver, ReleasableSandbox, Sandbox, SnapshotDriver, WorkspaceMode


class Forks(Base, contract=True):
    """What a snapshot keeps, and who sees what afterwards."""

    def test_a_fork_has_what_its_origin_had_and_goes_its_own_way(self, driver: Driver, scene: Scene) -> None:
        """A driver that takes no snapshots is refused where one is asked for."""
        if not isinstance(driver, SnapshotDriver):
            with pytest.raises(UsageError, match="takes no snapshots"):
                able(driver)
            return
        spec = scene.spec()
        assert spec.workspace is not None
        workspace = replace(spec.workspace, mode=WorkspaceMode.COW)
        spec = replace(spec, workspace=workspace)
        if unmet(spec, driver.check(spec)):
            return  # no layer can be laid over a workspace here, so there is no sandbox to be asked
        state = Path(scene.state)
        origin, fork, kept = (Path(tempfile.mkdtemp(prefix=name, dir=state)) for name in ("origin-", "fork-", "kept-"))
        try:
            first = driver.create(spec, origin, state, 0.0)
            self._write(first, "first")
            assert driver.snapshot(origin, state, kept) == "overlay"
            second = driver.fork(spec, fork, state, 0.0, origin)
            self._write(first, "origin")
            self._write(second, "fork")
            assert (self._read(first), self._read(second)) == ("first origin ", "first fork ")
            driver.restore(origin, state, kept)
            assert (self._read(first), self._read(second)) == ("first ", "first fork ")
            for sandbox in (first, second):
                if isinstance(sandbox, ReleasableSandbox):
                    sandbox.release()
        finally:
            for home in (origin, fork):
                driver.end(home)
            driver.sweep(state)
        assert not (Path(workspace.path) / "written").exists(), "it was written to the workspace itself"

    def _write(self, sandbox: Sandbox, word: str) -> None:
        self.said(sandbox, f"open('written', 'a').write('{word} ')")

    def _read(self, sandbox: Sandbox) -> str:
        return self.said(sandbox, "print(end=open('written').read())")
