"""Frozen layers: who stands on which, what a copy keeps, and how a directory of several layers is read."""

import os
import stat
from pathlib import Path

import pytest
from aisbx_linux.layer import place, stack, union
from aisbx_linux.layer.copy import copy_tree
from aisbx_linux.protect.walk import MAX_DEPTH


def layer(root: Path, *below: Path) -> Path:
    """Make a frozen layer that stands on others."""
    workspace = root / "workspace"
    workspace.mkdir(exist_ok=True)
    made = Path(stack.frozen(str(root))) / os.urandom(6).hex()
    os.close(place.make(str(made), str(workspace), "cow", None, volatile=False))
    stack.stand_on(str(made), [(one.name, str(one / "about")) for one in below], str(root))
    return made


def test_what_nothing_stands_on_is_removed_and_then_what_only_that_stood_on(tmp_path: Path) -> None:
    lowest = layer(tmp_path)
    middle = layer(tmp_path, lowest)
    upper = layer(tmp_path, middle, lowest)
    other = layer(tmp_path)
    half = Path(stack.frozen(str(tmp_path))) / "half"
    half.mkdir()
    snapshot = tmp_path / "snapshot"
    snapshot.mkdir()
    stack.write_snapshot(str(snapshot), str(upper), stack.standing(str(upper)), str(tmp_path))
    assert stack.below(str(snapshot)) == [str(middle), str(lowest)]
    stack.sweep(str(tmp_path))
    assert set((tmp_path / "frozen").iterdir()) == {middle, lowest}, f"{upper} and {other} were on nobody's way"
    place.drop(str(snapshot))
    stack.sweep(str(tmp_path))
    assert list((tmp_path / "frozen").iterdir()) == []


def test_what_is_being_made_is_not_removed(tmp_path: Path) -> None:
    import fcntl

    half = Path(stack.frozen(str(tmp_path))) / "half"
    half.mkdir()
    making = os.open(half, os.O_RDONLY)
    fcntl.flock(making, fcntl.LOCK_EX)
    stack.sweep(str(tmp_path))
    assert half.exists()
    os.close(making)
    stack.sweep(str(tmp_path))
    assert not half.exists()


def test_more_than_the_kernel_is_asked_for_is_refused(tmp_path: Path) -> None:
    lowest = layer(tmp_path)
    rows = [(f"{number}", str(lowest / "about")) for number in range(stack.MOST + 1)]
    (tmp_path / "new").mkdir()
    with pytest.raises(stack.StackError, match="100 snapshots already stand on each other"):
        stack.stand_on(str(tmp_path / "new"), rows, str(tmp_path))


def test_a_copy_is_what_the_layer_was(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "folder" / "inner").mkdir(parents=True)
    (source / "file").write_bytes(b"x" * 10)
    os.setxattr(source / "file", "user.note", b"kept")
    os.setxattr(source / "folder", "user.overlay.opaque", b"y")
    os.link(source / "file", source / "folder" / "again")
    os.symlink("/etc/passwd", source / "link")
    os.mkfifo(source / "pipe", 0o640)
    os.mknod(source / "folder" / "inner" / "gone", 0o020000)
    with (source / "hole").open("wb") as file:
        file.truncate(1 << 30)
    (source / "shut").write_text("secret")
    (source / "shut").chmod(0)
    (source / "folder").chmod(0o1755)
    os.utime(source / "file", ns=(1, 2))
    copy_tree(str(source), str(tmp_path / "copy"))
    copied = tmp_path / "copy"
    assert _seen(copied) == _seen(source)
    assert (copied / "hole").stat().st_blocks < 100
    assert (copied / "file").stat().st_ino == (copied / "folder" / "again").stat().st_ino
    assert os.getxattr(copied / "folder", "user.overlay.opaque") == b"y"
    assert stat.S_ISCHR((copied / "folder" / "inner" / "gone").lstat().st_mode)


def _seen(root: Path) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        text = os.readlink(path) if path.is_symlink() else ""
        marks = sorted(os.listxattr(path, follow_symlinks=False))
        rows.append((path.relative_to(root), status.st_mode, status.st_size, status.st_mtime_ns, text, marks))
    return rows


def test_what_is_too_deep_to_be_reviewed_is_not_copied(tmp_path: Path) -> None:
    deep = tmp_path / "source"
    deep.mkdir()
    for _ in range(MAX_DEPTH + 2):
        deep /= "d"
        deep.mkdir()
    with pytest.raises(OSError, match="nested deeper than 128"):
        copy_tree(str(tmp_path / "source"), str(tmp_path / "copy"))


def test_of_several_layers_the_uppermost_that_has_a_name_decides(tmp_path: Path) -> None:
    upper, middle, lower = (tmp_path / name for name in ("upper", "middle", "lower"))
    for made in (
        upper / "both",
        middle / "hidden",
        lower / "both",
        lower / "hidden",
        upper / "opaque",
        lower / "opaque",
    ):
        made.mkdir(parents=True)
        (made / made.parent.name).touch()
    os.setxattr(upper / "opaque", "user.overlay.opaque", b"y")
    os.mknod(upper / "hidden", 0o020000)
    (lower / "file").write_text("lower")
    (middle / "file").write_text("middle")
    opened = [os.open(one, os.O_RDONLY | os.O_DIRECTORY) for one in (upper, middle, lower)]
    found = {name: entry.layer for name, entry in union.entries(opened).items()}
    assert found == {"both": 0, "hidden": 0, "opaque": 0, "file": 1}
    assert sorted(union.listed(opened, "both")) == ["lower", "upper"]
    assert union.listed(opened, "opaque") == ["upper"]
    assert union.listed(opened, "hidden") == []
    directories, hides = union.enter(opened, "opaque")
    assert ([index for index, _ in directories], hides) == ([0], True)
    for descriptor in (*opened, *(one for _, one in directories)):
        os.close(descriptor)
