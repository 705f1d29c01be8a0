"""Trees made by somebody hostile are measured and removed, and nothing outside of them is touched."""

import os
import resource
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from aisbx.caches.tree import discard, measure, remove

DEPTH = 6000
"""Deeper than Python recurses, and a path of it is longer than PATH_MAX."""


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "aside"
    made = place / "tree"
    made.mkdir(parents=True)
    yield made
    # pytest itself cannot remove all of what is made here.
    subprocess.run(["chmod", "-R", "u+rwx", place], stderr=subprocess.DEVNULL, check=False)
    subprocess.run(["rm", "-rf", place], check=True)


def dig(place: Path, depth: int) -> None:
    here = os.open(place, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("bottom", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)


@pytest.fixture
def few_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 32, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("few_descriptors")
def test_a_tree_deeper_than_any_path_is_measured_and_removed(tree: Path) -> None:
    dig(tree, DEPTH)
    size = measure(str(tree))
    assert (size.entries, size.complete) == (DEPTH + 2, True)
    remove(str(tree))
    assert os.listdir(tree.parent) == []


def test_bytes_are_those_on_the_disk_and_a_file_of_two_names_counts_once(tree: Path) -> None:
    (tree / "one").write_bytes(b"x" * 100_000)
    os.link(tree / "one", tree / "two")
    with (tree / "hole").open("wb") as file:
        file.truncate(1 << 30)
    told = subprocess.run(["du", "-s", "-B1", tree], capture_output=True, text=True, check=True).stdout
    size = measure(str(tree))
    assert (size.bytes, size.entries) == (int(told.split()[0]), 3)
    assert 100_000 <= size.bytes < 1 << 20


def test_no_link_is_followed(tree: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "below").mkdir(parents=True)
    (outside / "file").write_bytes(b"x" * 1_000_000)
    (tree / "directory").symlink_to(outside)
    (tree / "file").symlink_to(outside / "file")
    (tree / "up").symlink_to("..")
    assert measure(str(tree)).bytes < 100_000
    remove(str(tree))
    assert sorted(os.listdir(outside)) == ["below", "file"]
    assert not tree.exists()


def test_a_link_in_the_place_of_the_tree_is_not_entered(tree: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("")
    link = tree.parent / "link"
    link.symlink_to(outside)
    assert not measure(str(link)).complete
    with pytest.raises(OSError, match="link"):
        remove(str(link))
    assert os.listdir(outside) == ["file"]


def test_what_its_owner_has_closed_is_removed_and_nothing_outside_gets_another_mode(tree: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o500)
    below = tree / "closed" / "inner"
    below.mkdir(parents=True)
    (below / "file").write_text("")
    (tree / "closed" / "link").symlink_to(outside)
    below.chmod(0)
    below.parent.chmod(0)
    assert measure(str(tree)).complete == (os.geteuid() == 0)
    remove(str(tree))
    assert not tree.exists()
    assert stat.S_IMODE(outside.stat().st_mode) == 0o500


def test_odd_names_sockets_and_pipes_are_removed(tree: Path) -> None:
    for name in (b"\xff\xfe", b"a\nb", b"-rf", b"tree-1", b" "):
        os.mkdir(os.path.join(os.fsencode(tree), name))
    os.mkfifo(tree / "pipe")
    assert measure(str(tree)).entries == 7
    remove(str(tree))
    assert os.listdir(tree.parent) == []


def test_more_entries_than_one_batch_are_removed(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aisbx.caches.tree.BATCH", 7)
    for number in range(100):
        (tree / str(number)).mkdir()
        (tree / f"f{number}").write_text("")
    remove(str(tree))
    assert os.listdir(tree.parent) == []


def test_the_time_of_the_latest_change_is_not_what_a_program_inside_says(tree: Path) -> None:
    file = tree / "file"
    file.write_text("")
    os.utime(file, (4_000_000_000, 4_000_000_000))
    assert measure(str(tree)).changed == max(file.stat().st_ctime, tree.stat().st_ctime)


def test_a_directory_among_others_is_removed_and_none_of_those(tree: Path) -> None:
    (tree / "a/b/c").mkdir(parents=True)
    for closed in ("a/b", "a", "."):
        (tree / closed).chmod(0)
    other = tree.with_name("tree-1")  # as `remove` would call what it moves up
    other.mkdir()
    discard(str(tree))
    assert os.listdir(other.parent) == ["tree-1"]
    with pytest.raises(FileNotFoundError):
        discard(str(tree))
    assert os.listdir(other.parent) == ["tree-1"]
