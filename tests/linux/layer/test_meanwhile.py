"""What the host does meanwhile in a workspace that a layer lies over is a conflict, and stays as it is."""

import os
import stat
import time

import pytest
from aisbx_linux.layer import carry
from aisbx_linux.layer.layers import Layer

from .scenes import Scene

MOMENT = 0.02
"""Seconds: what comes later has another time, as file systems note it."""


def test_an_edit_of_the_host_between_the_look_and_the_move_is_not_lost(scene: Scene) -> None:
    (scene.workspace / "file").write_text("one")
    upper = scene.begin()
    (upper / "file").write_text("evil")
    layer = Layer(str(scene.place))
    real = layer._carry

    def late(carrier: object, difference: object) -> str:
        (scene.workspace / "file").write_text("mine")
        return real(carrier, difference)  # type: ignore[arg-type]

    layer._carry = late  # type: ignore[method-assign]
    assert [why for _, why in layer.apply(move=True)] == ["it was changed on the host just now"]
    layer.close()
    assert (scene.workspace / "file").read_text() == "mine"
    assert os.listdir(scene.workspace) == ["file"]


def test_an_edit_of_the_host_while_a_file_is_copied_is_not_lost(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    (scene.workspace / "file").write_text("one")
    upper = scene.begin()
    for name in ("file", "new"):
        (upper / name).write_text("evil")
    pour, edited = carry.pour, iter(("file", "new"))

    def late(source: int, target: int) -> None:
        (scene.workspace / next(edited)).write_text("mine")
        pour(source, target)

    monkeypatch.setattr(carry, "pour", late)
    assert scene.apply(move=False) == dict.fromkeys(("file", "new"), "it was changed on the host just now")
    assert {path.name: path.read_text() for path in scene.workspace.iterdir()} == {"file": "mine", "new": "mine"}


@pytest.mark.parametrize("opaque", [True, False])
def test_what_the_host_moved_to_where_a_directory_was_removed_stays(scene: Scene, *, opaque: bool) -> None:
    for name in ("folder/old", "spare/inner/precious"):
        (scene.workspace / name).parent.mkdir(parents=True)
        (scene.workspace / name).write_text("mine")
    upper = scene.begin()
    time.sleep(MOMENT)
    if opaque:
        (upper / "folder").mkdir()
        os.setxattr(upper / "folder", "user.overlay.opaque", b"y")
        os.rename(scene.workspace / "spare", scene.workspace / "folder" / "spare")
    else:
        os.mknod(upper / "folder", stat.S_IFCHR, 0)
        os.rename(scene.workspace / "folder", scene.outside.parent / "away")
        os.rename(scene.workspace / "spare", scene.workspace / "folder")
    left = {path for path, why in scene.apply().items() if "moved on the host" in why}
    inner = "folder/spare/inner" if opaque else "folder/inner"
    assert {f"{inner}/precious", inner} <= left
    assert (scene.workspace / inner / "precious").read_text() == "mine"


def test_another_directory_in_the_place_of_the_workspace_is_not_overwritten(scene: Scene) -> None:
    for name in ("workspace", "another"):
        (scene.workspace.parent / name).mkdir(exist_ok=True)
        (scene.workspace.parent / name / "file").write_text("mine")
    (scene.begin() / "file").write_text("evil")
    time.sleep(MOMENT)
    os.rename(scene.workspace, scene.workspace.parent / "away")
    os.rename(scene.workspace.parent / "another", scene.workspace)
    assert list(scene.apply()) == ["file"]
    assert (scene.workspace / "file").read_text() == "mine"


def test_a_mode_that_the_host_gave_a_directory_stays(scene: Scene) -> None:
    (scene.workspace / "folder").mkdir(mode=0o755)
    upper = scene.begin()
    (upper / "folder").mkdir(mode=0o755)
    (upper / "folder" / "new").write_text("x")
    time.sleep(MOMENT)
    (scene.workspace / "folder").chmod(0o700)
    (scene.workspace / "folder" / "mine").touch()
    assert scene.apply() == {"folder": "it was changed on the host since", "folder/new": ""}
    assert (scene.workspace / "folder").stat().st_mode & 0o777 == 0o700
