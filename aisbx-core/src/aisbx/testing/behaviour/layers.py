"""Workspaces of the modes `cow` and `guarded`, of drivers that have them."""

import os
import shutil
import stat
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from aisbx.admission import require_able, unmet
from aisbx.errors import UsageError
from aisbx.testing.behaviour.base import Base
from aisbx.testing.scene import Scene
from aisbx.types import Driver, LayeredDriver, Layers, ReleasableSandbox, Sandbox, WorkspaceMode

if TYPE_CHECKING:
    from collections.abc import Generator

_CHANGES = """
import os, shutil
def put(path, text="inside"):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "w") as file:
        file.write(text)
os.umask(0o022)
put("plain"), put("new/deep/file"), put(".envrc"), put("folder/late")
os.link("linked", "again")
put("again")
os.unlink("removed"), os.chmod("mode", 0o777), os.utime("times", (1, 1))
os.rename("moved", "moved-away"), os.symlink("plain", "link")
shutil.rmtree("swapped"), os.symlink(os.path.abspath("../../elsewhere"), "swapped")
"""
_NAMES = (
    "plain",
    "linked",
    "removed",
    "mode",
    "times",
    "moved",
    "folder/inner",
    "swapped/inner",
    ".envrc",
    "untouched",
)
# Protected names that were not there, that got theirs by a rename of themselves or of what they lie in, and one that
# took the place of a harmless file.
_PLANTED = """
import os, sys
token = sys.argv[1]
def put(path, mode=0o755):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "w") as file:
        file.write(token)
    os.chmod(path, mode)
open("harmless", "w").write("from inside")
put(".vscode/tasks.json"), put("deep/in/.husky/pre-commit")
put("innocent"), os.rename("innocent", ".mcp.json")
put("build/hooks/post-checkout"), os.makedirs("build/objects"), os.makedirs("build/refs")
open("build/HEAD", "w").write("ref: refs/heads/main")
os.rename("build", "away"), os.makedirs("sub/other"), os.rename("away", "sub/other/.git")
put("other"), os.rename("other", ".envrc")
open("edited", "w").write("from inside")
"""


class LayeredWorkspaces(Base, contract=True):
    """What is written goes to a layer; what of it reaches the workspace is decided from outside."""

    def test_a_copied_workspace_stays_as_it_is_until_its_changes_are_applied(
        self, driver: Driver, scene: Scene
    ) -> None:
        """To the last file, whatever road inside is taken; no link is followed when they are applied.

        A driver without layers is refused where one is asked for.
        """
        for name in _NAMES:
            scene.file("home", "project", name, text="host's own")
        before = _tree(scene.workspace)
        with self._layered(driver, scene, WorkspaceMode.COW) as (sandbox, home):
            if sandbox is None or not isinstance(driver, LayeredDriver):
                return
            self.said(sandbox, _CHANGES)
            assert self.said(sandbox, "print(open('plain').read(), open('.envrc').read())") == "inside inside\n"
            assert _tree(scene.workspace) == before, "it was written to the workspace itself"
            driver.end(home)
            layers = _of(driver, home)
            found = {change.path: change for change in layers.changes()}
            assert {"plain", "again", "removed", "mode", "moved", "moved-away", "link", "swapped"} <= found.keys()
            assert {found[path].action for path in ("removed", "moved")} == {"deleted"}
            assert "untouched" not in found
            assert found[".envrc"].protected
            assert layers.contents(found["plain"], 99) == (b"host's own", b"inside")
            # Meanwhile a directory that the layer has a file for leads elsewhere on the host.
            shutil.rmtree(f"{scene.workspace}/folder")
            os.symlink(scene.elsewhere, f"{scene.workspace}/folder")
            list(layers.apply(["folder/late"], force=True))
            assert os.listdir(scene.elsewhere) == [], "a link on the host was followed"
            os.unlink(f"{scene.workspace}/folder")
            scene.file("home", "project", "folder", "inner", text="host's own")
            assert [why for _, why in layers.apply(["new/deep/file"])] == [""] * 3
            after = _tree(scene.workspace)
            assert {path for path in after if after[path] != before.get(path)} == {"new", "new/deep", "new/deep/file"}
            list(_of(driver, home).discard())
            assert _tree(scene.workspace) == after
            assert not _left(driver, home)

    def test_a_guarded_workspace_applies_itself_but_for_what_the_host_would_execute_and_conflicts(
        self, driver: Driver, scene: Scene
    ) -> None:
        """Whether a protected name was absent, came by a rename, or replaced another; nothing is littered.

        A driver without layers is refused where one is asked for.
        """
        for name in (".envrc", "edited"):
            scene.file("home", "project", name, text="host's own")
        with self._layered(driver, scene, WorkspaceMode.GUARDED) as (sandbox, home):
            if sandbox is None or not isinstance(driver, LayeredDriver):
                return
            self.said(sandbox, _PLANTED, scene.token)
            assert sorted(os.listdir(scene.workspace)) == [".envrc", "edited"], "applied while it runs"
            Path(scene.workspace, "edited").write_text("the host's edit")
            driver.end(home)
            lines = "\n".join(_of(driver, home).finish())
            planted = [path for path, row in _tree(scene.workspace).items() if scene.token.encode() in row[1]]
            assert not planted, f"the host would execute {planted}"
            assert Path(scene.workspace, ".envrc").read_text() == "host's own"
            assert Path(scene.workspace, "edited").read_text() == "the host's edit"
            assert Path(scene.workspace, "harmless").read_text() == "from inside"
            kept = {change.path for change in _of(driver, home).changes()}
            for path in (".vscode/tasks.json", "deep/in/.husky/pre-commit", ".mcp.json", ".envrc", "edited"):
                assert path in kept, f"{path} is neither applied nor kept"
            assert "sub/other/.git/hooks/post-checkout" in kept
            assert all(
                name in lines for name in (".vscode", ".husky", ".mcp.json", ".envrc", "edited", "post-checkout")
            )

    @contextmanager
    def _layered(self, driver: Driver, scene: Scene, mode: WorkspaceMode) -> "Generator[tuple[Sandbox | None, Path]]":
        """Make a sandbox with such a workspace; None where there can be none, which is refused then."""
        os.chmod(scene.workspace, 0o777)
        spec = scene.spec()
        assert spec.workspace is not None
        spec = replace(spec, workspace=replace(spec.workspace, mode=mode))
        home, kept = Path(tempfile.mkdtemp(prefix="layered-", dir=scene.state)), Path(scene.state)
        if not isinstance(driver, LayeredDriver):
            with pytest.raises(UsageError, match="lays no layer"):
                require_able(spec, driver)
            yield None, home
            return
        require_able(spec, driver)
        if unmet(spec, driver.check(spec)):
            yield None, home  # no layer can be laid over a workspace here, and that is said
            return
        try:
            sandbox = driver.create(spec, home, kept, 0.0)
            try:
                yield sandbox, home
            finally:
                if isinstance(sandbox, ReleasableSandbox):
                    sandbox.release()
        finally:
            driver.end(home)


def _of(driver: LayeredDriver, home: Path) -> Layers:
    layers = driver.layers(home)
    assert layers is not None, "the layer has gone"
    assert not layers.live
    return layers


def _left(driver: LayeredDriver, home: Path) -> list[str]:
    layers = driver.layers(home)
    return [] if layers is None else [change.path for change in layers.changes()]


def _tree(place: str) -> dict[str, tuple[int, bytes]]:
    """Give what is below a directory: mode and content by path."""
    found: dict[str, tuple[int, bytes]] = {}
    for above, folders, files in os.walk(place):
        for name in (*folders, *files):
            path = os.path.join(above, name)
            mode = os.lstat(path).st_mode
            regular = stat.S_ISREG(mode)
            data = Path(path).read_bytes() if regular else os.readlink(path).encode() if stat.S_ISLNK(mode) else b""
            found[os.path.relpath(path, place)] = (mode, data)
    return found
