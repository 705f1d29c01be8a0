"""A copy-on-write workspace: whatever the inside does to it, by whatever road, the host's tree stays as it is."""

import hashlib
import os
import socket
import stat
from pathlib import Path

import pytest

from .conftest import Box

ROADS = r"""
import ctypes, mmap, os, sys
def road(name, do):
    try:
        do()
        print(name)
    except OSError as error:
        print("!", name, error)
def write(path):
    with open(path, "r+b") as file:
        file.write(b"EVIL")
def mapped():
    with open("mapped", "r+b") as file, mmap.mmap(file.fileno(), 0) as area:
        area[:4] = b"EVIL"
def through_link():
    os.link("linked", "another-name")
    write("another-name")
def unnamed():
    fd = os.open(".", os.O_TMPFILE | os.O_WRONLY, 0o644)
    os.write(fd, b"EVIL")
    os.link(f"/proc/self/fd/{fd}", "unnamed", src_dir_fd=0, follow_symlinks=True)
def swapped():
    os.mkdir("other")
    write_new("other/inner")
    os.rename("folder", "away")
    os.rename("other", "folder")
def write_new(path):
    with open(path, "wb") as file:
        file.write(b"EVIL")
def kept_open():
    fd = os.open("open", os.O_RDONLY)
    write("open")
    os.truncate(f"/proc/self/fd/{fd}", 0)
here = os.getcwd()
road("write", lambda: write("plain"))
road("mmap", mapped)
road("hard link", through_link)
road("tmpfile", unnamed)
road("swap", swapped)
road("descriptor", kept_open)
road("own root", lambda: write(f"/proc/self/root{here}/by-root"))
road("root of the first process", lambda: write(f"/proc/1/root{here}/by-first"))
road("cwd", lambda: write("/proc/self/cwd/by-cwd"))
road("mode", lambda: os.chmod("mode", 0o777))
road("times", lambda: os.utime("times", (1, 1)))
road("attribute", lambda: os.setxattr("attribute", "user.evil", b"1"))
road("replace", lambda: (write_new("new"), os.rename("new", "replaced")))
road("remove", lambda: os.unlink("removed"))
road("protected", lambda: write(".git/hooks/pre-commit"))
road("mode of the workspace", lambda: os.chmod(".", 0o700))
"""
FILES = [
    *("plain", "mapped", "linked", "open", "by-root", "by-first", "by-cwd", "mode", "times", "attribute", "replaced"),
    *("removed", "folder/inner"),
]


def _lay_out(project: Path) -> None:
    for name in (*FILES, ".git/hooks/pre-commit", ".git/HEAD", ".git/objects/x", ".git/refs/x"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("good\n")
    (project / "attack.py").write_text(ROADS)


def _seen(project: Path) -> dict[str, tuple[object, ...]]:
    """Give all that a host could tell a change by: contents, modes, owners, times, links, attributes."""
    found: dict[str, tuple[object, ...]] = {}
    for folder, directories, files in os.walk(project):
        for name in (".", *directories, *files):
            path = os.path.join(folder, name)
            status = os.lstat(path)
            data = hashlib.sha256(Path(path).read_bytes()).hexdigest() if stat.S_ISREG(status.st_mode) else ""
            times = (status.st_mtime_ns, status.st_ctime_ns)
            row = (status.st_mode, status.st_uid, status.st_ino, status.st_nlink)
            found[os.path.normpath(path)] = (data, *row, *times, *os.listxattr(path, follow_symlinks=False))
    return found


@pytest.mark.parametrize("mode", ["rw", "cow"])
def test_nothing_of_a_cow_workspace_changes_on_the_host_by_any_road(box: Box, mode: str) -> None:
    _lay_out(box.project)
    before = _seen(box.project)
    box.out("create", "--name", "work", "-p", "shell", "-w", f".:{mode}")
    said = box.out("exec", "work", "--", "python3", "attack.py")
    if mode == "rw":  # what the roads can do where nothing holds them
        after = _seen(box.project)
        changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
        missed = [name for name in FILES if str(box.project / name) not in changed]
        assert not missed, said
        return
    # In the layer everything can be done, protected files too; a directory of the workspace is moved by copying it.
    assert [line.split(" ->")[0] for line in said.splitlines() if line.startswith("!")] == [
        "! swap [Errno 18] Invalid cross-device link: 'folder'"
    ], said
    assert _seen(box.project) == before
    assert box.out("exec", "work", "--", "cat", "plain", ".git/hooks/pre-commit") == "EVIL\nEVIL\n"
    box.out("destroy", "--discard", "work")
    assert _seen(box.project) == before


def test_a_server_of_the_host_in_the_workspace_is_out_of_reach_through_the_layer(box: Box) -> None:
    client = 'import socket; s = socket.socket(socket.AF_UNIX); s.connect("sock"); print("reached")'
    os.chdir(box.project)  # the path may be longer than an address can be
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("sock")
        server.listen()
        done = box("run", "-w", ".:cow", "-p", "shell", "--", "python3", "-c", client)
    assert "reached" not in done.stdout, "the socket of the host is connected to through the layer"
    assert done.returncode == 1, done.stderr


def test_the_host_never_sees_the_layer_inside_and_the_inside_never_sees_where_it_lies(box: Box) -> None:
    (box.project / "file").write_text("x")
    box.out("create", "--name", "work", "-p", "shell", "-w", ".:cow")
    mounts = box.out("exec", "work", "--", "cat", "/proc/self/mountinfo")
    (line,) = [line for line in mounts.splitlines() if line.split()[4] == str(box.project)]
    assert " - overlay " in line
    assert str(box.state) not in mounts
    assert box("exec", "work", "--", "ls", str(box.state)).returncode != 0


def test_a_run_in_a_cow_workspace_leaves_its_changes_for_a_review(box: Box) -> None:
    (box.project / "file").write_text("one\n")
    done = box("run", "-p", "shell", "-w", ".:cow", "--", "sh", "-c", "echo two >> file")
    assert done.returncode == 0
    assert (box.project / "file").read_text() == "one\n"
    (run,) = box.json("ls", "--json")["runs"]
    assert f"aisbx diff {run}" in done.stderr
    assert "+two" in box.out("diff", run)
    assert box.out("apply", run) == "M file (4 -> 8 bytes)\n"
    assert (box.project / "file").read_text() == "one\ntwo\n"
    assert box.json("ls", "--json")["runs"] == []
    box.out("run", "-p", "shell", "-w", ".:cow", "--", "true")
    assert os.listdir(box.state / "layers") == []
