"""Layers that nobody honest made: a review of one ends, stays in bounds, and leads nowhere out of the workspace."""

import os
import stat
import time
import tracemalloc
from pathlib import Path

import pytest
from aisbx_linux.layer import place
from aisbx_linux.layer.end import RunLayer, cut_off
from aisbx_linux.layer.layers import Layer
from aisbx_linux.layer.walk import UNREAD

from .scenes import Scene


@pytest.mark.parametrize("move", [True, False])
def test_no_link_on_either_side_leads_out_of_the_workspace(scene: Scene, *, move: bool) -> None:
    (scene.workspace / "linked").symlink_to(scene.outside)
    (scene.workspace / "real").mkdir()
    (scene.workspace / "real" / "old").write_text("o")
    (scene.workspace / "file").symlink_to(scene.outside / "file")
    upper = scene.begin()
    (upper / "linked").mkdir()
    (upper / "linked" / "file").write_text("evil")
    (upper / "real").symlink_to(scene.outside)
    (upper / "file").write_text("evil")
    assert scene.apply(move=move) == dict.fromkeys(("file", "linked", "linked/file", "real/old", "real"), "")
    assert (scene.workspace / "linked" / "file").read_text() == "evil"
    assert (scene.workspace / "real").is_symlink()
    assert (scene.workspace / "file").read_text() == "evil"


def test_a_directory_of_the_workspace_that_becomes_a_link_meanwhile_is_not_followed(scene: Scene) -> None:
    for name in ("one", "two"):
        (scene.workspace / name).mkdir()
    upper = scene.begin()
    for name in ("one", "two"):
        (upper / name).mkdir()
        (upper / name / "file").write_text("evil")
    layer = Layer(str(scene.place))
    answers: list[str] = []
    for _, why in layer.apply(move=True):
        answers.append(why)
        if len(answers) == 1:
            os.rmdir(scene.workspace / "two")
            os.symlink(scene.outside, scene.workspace / "two")
    layer.close()
    assert answers[0] == ""
    assert scene.differences().keys() == {"two", "two/file"}


def test_what_is_deep_many_huge_or_never_ends_is_gone_through_in_bounds(scene: Scene) -> None:
    os.mkfifo(scene.workspace / "pipe")
    (scene.workspace / "sparse").write_text("x")
    upper = scene.begin()
    os.mkfifo(upper / "pipe")
    os.truncate(os.open(upper / "sparse", os.O_CREAT | os.O_WRONLY), 1 << 42)
    (upper / "many").mkdir()
    for index in range(5_000):
        os.mknod(upper / "many" / f"{index}", stat.S_IFREG | 0o600)
    deep = os.open(upper, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=deep)
        inner = os.open("d", os.O_RDONLY, dir_fd=deep)
        os.close(deep)
        deep = inner
    os.close(deep)
    layer = Layer(str(scene.place))
    tracemalloc.start()
    began = time.monotonic()
    kinds = [found.kind for found in layer.differences()]
    took, peak = time.monotonic() - began, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    layer.close()
    assert kinds.count(UNREAD) == 1
    assert len(kinds) > 5_000
    assert took < 20
    assert peak < 16 << 20
    done = scene.apply("sparse", "d", move=False)
    assert (scene.workspace / "sparse").stat().st_size == 1 << 42
    assert [path for path, why in done.items() if why][-1].count("/") >= 127
    place.drop(str(scene.place))
    from aisbx_linux.layer.remove import remove

    remove(str(scene.workspace / "d"))


@pytest.mark.parametrize("move", [True, False])
def test_modes_attributes_and_links_come_through_and_set_id_bits_do_not(scene: Scene, *, move: bool) -> None:
    (scene.workspace / "locked").mkdir()
    (scene.workspace / "locked").chmod(0o500)
    upper = scene.begin()
    (upper / "locked").mkdir()
    (upper / "locked" / "new").write_text("x")
    (upper / "locked").chmod(0o500)
    (upper / "program").write_text("x")
    (upper / "program").chmod(0o6755)
    (upper / "shut").mkdir()
    (upper / "shut" / "file").write_text("x")
    os.setxattr(upper / "shut" / "file", "user.mine", b"1")
    os.setxattr(upper / "shut" / "file", "user.overlay.origin", b"")
    (upper / "shut" / "file").chmod(0o444)
    os.setxattr(upper / "shut", "user.of-it", b"2")
    (upper / "shut").chmod(0o500)
    os.utime(upper / "shut" / "file", ns=(1, 5_000_000_000))
    assert set(scene.apply(move=move).values()) == {""}
    assert scene.differences() == {}
    assert (scene.workspace / "locked" / "new").read_text() == "x"
    assert (scene.workspace / "locked").stat().st_mode & 0o7777 == 0o500
    (scene.workspace / "locked").chmod(0o700)
    made = scene.workspace / "shut" / "file"
    assert (scene.workspace / "program").stat().st_mode & 0o7777 == 0o755
    assert (scene.workspace / "shut").stat().st_mode & 0o7777 == 0o500
    assert os.listxattr(made) == ["user.mine"]
    assert os.getxattr(scene.workspace / "shut", "user.of-it") == b"2"
    assert (made.stat().st_mode & 0o7777, made.stat().st_mtime) == (0o444, 5)
    (scene.workspace / "shut").chmod(0o700)


@pytest.mark.parametrize("move", [True, False])
def test_an_attribute_alone_is_a_change_and_too_many_are_told(scene: Scene, *, move: bool) -> None:
    for name in ("one", "many"):
        (scene.workspace / name).write_text("same")
    upper = scene.begin()
    for name in ("one", "many"):
        (upper / name).write_text("same")
    assert scene.differences() == {}
    os.setxattr(upper / "one", "user.mine", b"1")
    for index in range(65):
        os.setxattr(upper / "many", f"user.{index}", b"")
    assert scene.differences() == {"one": "modified", "many": "modified"}
    assert scene.apply(move=move) == {"one": "", "many": "" if move else "it has more than 64 attributes"}
    assert os.getxattr(scene.workspace / "one", "user.mine") == b"1"
    assert len(os.listxattr(scene.workspace / "many")) == (65 if move else 0)


def test_a_clock_that_was_set_back_while_the_machine_did_not_run_hides_no_edit(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    (scene.workspace / "file").write_text("one")
    (scene.begin() / "file").write_text("two")
    monkeypatch.setattr(place, "_boot", lambda: "another")
    assert scene.differences() == {"file": "modified"}
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() - 3600 * 10**9)
    assert scene.differences() == {"file": "it was changed on the host since"}


def test_a_run_that_closed_its_workspace_to_its_owner_loses_nothing(tmp_path: Path) -> None:
    workspace, layers = tmp_path / "workspace", tmp_path / "layers"
    workspace.mkdir()
    for run in ("ended", "killed"):
        held = place.make(str(layers / run), str(workspace), "guarded", None, volatile=False)
        (layers / run / "upper" / run).write_text("new")
        (layers / run / "upper").chmod(0)
        if run == "ended":
            assert RunLayer(str(layers / run), held).settle() == []
        else:
            os.close(held)
    assert [path.name for path in workspace.iterdir()] == ["ended"]
    assert cut_off(str(layers)) == ["the run killed was cut off: what it changed is kept: aisbx diff killed"]
    place.drop(str(layers / "killed"))


def test_a_clock_that_was_set_back_hides_no_edit(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    (scene.workspace / "file").write_text("one")
    upper = scene.begin()
    (upper / "file").write_text("two")
    assert scene.differences() == {"file": "modified"}
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - 3600)  # by then, files get a ctime of an hour ago
    assert scene.differences() == {"file": "it was changed on the host since"}


def test_a_layer_that_another_version_made_or_that_is_half_made_is_not_read(scene: Scene) -> None:
    scene.begin()
    about = scene.place / "about"
    text = about.read_text()
    assert text.startswith("format 1\nmode cow\nbegan ")
    for wrong in (text.replace("format 1", "format 2"), "", text[:20], "\0" * 100):
        about.write_text(wrong)
        assert place.about(str(scene.place)) is None
    about.unlink()
    assert place.about(str(scene.place)) is None
