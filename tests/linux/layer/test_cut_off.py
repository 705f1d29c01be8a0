"""An apply that is killed in any step: nothing is lost, nothing lies about, and the next one goes on from there."""

import os
import posix
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from aisbx_linux.layer import journal, place
from aisbx_linux.layer.layers import Layer
from aisbx_linux.layer.walk import ADDED, COMPARED, Difference


def tree(root: Path) -> dict[str, object]:
    """Give all that is in a directory: modes, and what files and links hold."""
    found: dict[str, object] = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        data = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else b""
        found[str(path.relative_to(root))] = (status.st_mode, data)
    return found


def lay_out(root: Path) -> tuple[Path, Path, Path]:
    """Make a workspace, and a layer over it that changes it; gives both, and what the workspace is to become."""
    workspace, wanted, layer = root / "workspace", root / "wanted", root / "layer"
    workspace.mkdir()
    (workspace / "note").write_text("one\n")
    (workspace / "gone").write_text("old\n")
    os.close(place.make(str(layer), str(workspace), "cow", None, volatile=False))
    for top in (layer / "upper", wanted):
        (top / "folder").mkdir(parents=True)
        (top / "big").write_bytes(b"x" * 100_000)
        (top / "folder/inner").write_text("inner\n")
        (top / "link").symlink_to("note")
        (top / "note").write_text("two\n")
        (top / "folder").chmod(0o750)
    os.mknod(layer / "upper/gone", 0o020000, 0)
    return workspace, layer, wanted


def apply(layer: Path, *, move: bool) -> dict[str, str]:
    opened = Layer(str(layer))
    try:
        return {found.path: why for found, why in opened.apply(move=move)}
    finally:
        opened.close()


def killed(layer: Path, *, move: bool, step: int) -> bool:
    """Apply in a child that kills itself at the nth call to the system that changes anything; False where it ended."""
    child = os.fork()
    if child == 0:
        left = step

        def counted(do: Callable[..., object]) -> Callable[..., object]:
            def called(*arguments: object, **options: object) -> object:
                nonlocal left
                if not left:
                    os.kill(os.getpid(), signal.SIGKILL)
                left -= 1
                return do(*arguments, **options)

            return called

        for name in (
            "rename",
            "unlink",
            "mkdir",
            "symlink",
            "fchmod",
            "chmod",
            "write",
            "sendfile",
            "ftruncate",
            "utime",
        ):
            setattr(posix, name, counted(getattr(posix, name)))
        try:
            apply(layer, move=move)
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("move", [True, False])
def test_wherever_an_apply_is_killed_the_next_one_makes_the_workspace_whole(tmp_path: Path, *, move: bool) -> None:
    litter = conflicts = step = 0
    while True:
        root = tmp_path / str(step)
        root.mkdir()
        workspace, layer, wanted = lay_out(root)
        if not killed(layer, move=move, step=step):
            break
        for name, (_, data) in tree(workspace).items():  # pyright: ignore[reportGeneralTypeIssues]
            if name.rpartition("/")[2].startswith(".aisbx-"):
                litter += 1
            elif name in {"big", "note", "folder/inner"}:
                assert data in {b"one\n", (wanted / name).read_bytes()}, f"half of {name} after {step} steps"
        conflicts += sum(map(bool, apply(layer, move=move).values()))
        assert tree(workspace) == tree(wanted), f"after {step} steps"
        place.drop(str(layer))
        step += 1
    assert step > 20
    assert not conflicts
    assert litter > 0, "nothing was killed while a file was being made, so the test shows nothing"
    assert apply(layer, move=move) == {}
    assert tree(workspace) == tree(wanted)


def test_a_note_that_was_cut_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    first = journal.Journal(str(tmp_path))
    first.begin(".aisbx-0")
    status = tmp_path.stat()
    first.step("a")
    first.done(Difference("a", ADDED, None, status), status)
    first.step("b")
    stamp = (status.st_ino, status.st_ctime_ns) * 2
    path = tmp_path / "applying"
    whole = path.read_bytes()
    found = journal.Journal(str(tmp_path))
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        found = journal.Journal(str(tmp_path))
        assert found.applied in ({}, {"a": stamp})
    assert found.unfinished == (".aisbx-0", "b")
    assert found.applied == {"a": stamp}


def test_a_file_too_large_to_be_compared_is_no_difference_once_it_was_applied(tmp_path: Path) -> None:
    workspace, layer = tmp_path / "workspace", tmp_path / "layer"
    workspace.mkdir()
    os.close(place.make(str(layer), str(workspace), "cow", None, volatile=False))
    with (layer / "upper/large").open("wb") as file:
        file.truncate(COMPARED + 1)
    assert apply(layer, move=False) == {"large": ""}
    assert apply(layer, move=False) == {}
    with (layer / "upper/large").open("r+b") as file:  # the sandbox goes on with it
        file.write(b"x")
    assert apply(layer, move=False) == {"large": ""}
    (workspace / "large").chmod(0o600)
    assert apply(layer, move=False) == {"large": "it was changed on the host since"}
    place.drop(str(layer))
