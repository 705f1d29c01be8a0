"""A tree that is sent is made anew, whatever the other end says."""

import io
import os
import stat
from pathlib import Path

import pytest
from aisbx_linux.lasting import trees
from aisbx_linux.lasting.trees import DIRECTORY, END, FILE, LINK, UP, Bounds, TreeError

PLENTY = 1 << 30


def head(kind: bytes, name: bytes, mode: int = 0o644) -> bytes:
    return kind + mode.to_bytes(4, "little") + len(name).to_bytes(4, "little") + name


def file(name: bytes, data: bytes = b"data", mode: int = 0o644) -> bytes:
    return head(FILE, name, mode) + len(data).to_bytes(4, "little") + data + bytes(4)


def link(name: bytes, target: bytes) -> bytes:
    return head(LINK, name) + len(target).to_bytes(4, "little") + target


def receive(place: Path, stream: bytes, bounds: Bounds | None = None) -> None:
    directory = os.open(place, os.O_RDONLY)
    try:
        trees.receive(directory, b"top", io.BytesIO(stream).read, bounds or Bounds(PLENTY))
    finally:
        os.close(directory)


def send(place: Path, name: bytes, bounds: Bounds | None = None) -> bytes:
    parts: list[bytes] = []
    directory = os.open(place, os.O_RDONLY)
    try:
        trees.send(directory, name, parts.append, bounds or Bounds(PLENTY))
    finally:
        os.close(directory)
    return b"".join(parts)


def test_a_tree_is_the_same_at_the_other_end(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "deep/er").mkdir(parents=True)
    (source / "deep/er/file").write_bytes(os.urandom(200_000))
    (source / "empty").write_bytes(b"")
    (source / "link").symlink_to("../nowhere")
    os.chmod(source / "deep", 0o750)
    os.mkfifo(source / "fifo")
    target.mkdir()
    bounds = Bounds(PLENTY)
    receive(target, send(tmp_path, b"source"), bounds)
    made = target / "top"
    assert (made / "deep/er/file").read_bytes() == (source / "deep/er/file").read_bytes()
    assert os.readlink(made / "link") == "../nowhere"
    assert stat.S_IMODE((made / "deep").stat().st_mode) == 0o750
    assert sorted(os.listdir(made)) == ["deep", "empty", "link"]
    assert bounds.notes == ["source/fifo: left out: it is a pipe"]


def test_special_bits_are_dropped_at_both_ends(tmp_path: Path) -> None:
    (tmp_path / "tool").write_bytes(b"x")
    os.chmod(tmp_path / "tool", 0o6755)
    assert send(tmp_path, b"tool")[1:5] == (0o755).to_bytes(4, "little")
    receive(tmp_path, file(b"", mode=0o7755) + END + bytes(8))
    assert stat.S_IMODE((tmp_path / "top").stat().st_mode) == 0o755


@pytest.mark.parametrize("name", [b"..", b".", b"", b"a/b", b"/abs", b"../up", b"a\0b"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: bytes) -> None:
    place = tmp_path / "place"
    place.mkdir()
    with pytest.raises(TreeError):
        receive(place, head(DIRECTORY, b"", 0o755) + file(name) + head(UP, b"") + END + bytes(8))
    assert sorted(os.listdir(tmp_path)) == ["place"]
    assert os.listdir(place / "top") == []


def test_a_link_that_was_sent_is_not_gone_through(tmp_path: Path) -> None:
    place, victim = tmp_path / "place", tmp_path / "victim"
    place.mkdir()
    victim.mkdir()
    evil = link(b"d", os.fsencode(victim)) + head(DIRECTORY, b"d", 0o755) + file(b"f")
    with pytest.raises(TreeError, match="link"):
        receive(place, head(DIRECTORY, b"", 0o755) + evil + END + bytes(8))
    again = link(b"f", os.fsencode(victim / "f")) + file(b"f")
    receive(place, head(DIRECTORY, b"", 0o755) + again + head(UP, b"") + END + bytes(8))
    assert (place / "top/f").read_bytes() == b"data"
    assert os.listdir(victim) == []


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        b"?" + bytes(8),
        head(UP, b"") + END + bytes(8),
        head(FILE, b"") + (1 << 20).to_bytes(4, "little"),
        FILE + bytes(4) + (1 << 31).to_bytes(4, "little"),
        head(DIRECTORY, b"", 0o755) + b"".join(head(DIRECTORY, b"d", 0o755) for _ in range(300)),
    ],
)
def test_what_is_no_tree_is_refused_and_leaves_no_half_file(tmp_path: Path, stream: bytes) -> None:
    with pytest.raises(TreeError):
        receive(tmp_path, stream)
    assert not [name for _, _, names in os.walk(tmp_path) for name in names]


def test_bounds_hold_at_both_ends(tmp_path: Path) -> None:
    (tmp_path / "many").mkdir()
    for number in range(20):
        (tmp_path / f"many/{number}").write_bytes(b"x" * 100)
    stream = send(tmp_path, b"many")
    with pytest.raises(TreeError, match="--limit"):
        send(tmp_path, b"many", Bounds(1000))
    with pytest.raises(TreeError, match="--limit"):
        receive(tmp_path, stream, Bounds(1000))
    with pytest.raises(TreeError, match="too many"):
        receive(tmp_path, stream, Bounds(PLENTY, entries=10))
    with (tmp_path / "sparse").open("wb") as huge:
        huge.truncate(1 << 40)
    with pytest.raises(TreeError, match="--limit"):
        send(tmp_path, b"sparse")
    assert not [name for name in os.listdir(tmp_path / "top") if name.endswith(".tmp")]
