"""What comes out of the guest is made below one directory, whatever the guest says."""

import io
import os
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from aisbx_driver_lima.guest import trees
from aisbx_driver_lima.guest import upper as layers
from aisbx_driver_lima.guest.lasting import _open_up  # pyright: ignore[reportPrivateUsage]
from aisbx_linux.layer.remove import remove
from aisbx_linux.protect.walk import MAX_DEPTH


def unpacked(data: bytes, place: Path, *, layer: bool = False) -> bool:
    place.mkdir(exist_ok=True)
    root = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return trees.unpack(io.BytesIO(data), root, layer=layer)
    finally:
        os.close(root)


def packed(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, content in entries:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, mode
    return info


def holes() -> tarfile.TarInfo:
    """A file that says that it is 64 MiB, and none of it is there."""
    info = entry("holes")
    info.pax_headers = {"GNU.sparse.map": "0,0", "GNU.sparse.size": str(64 << 20)}
    return info


HOSTILE: dict[str, Callable[[Path], bytes]] = {
    "a path upwards": lambda _: packed((entry("../victim"), b"evil")),
    "an absolute path": lambda outside: packed((entry(f"{outside}/victim"), b"evil")),
    "through a link to a directory": lambda outside: packed(
        (entry("way", tarfile.SYMTYPE, str(outside)), b""), (entry("way/victim"), b"evil")
    ),
    "over a link to a file": lambda outside: packed(
        (entry("victim", tarfile.SYMTYPE, f"{outside}/victim"), b""), (entry("victim"), b"evil")
    ),
    "a hard link": lambda outside: packed((entry("victim", tarfile.LNKTYPE, f"{outside}/victim"), b"")),
    "a device": lambda _: packed((entry("device", tarfile.BLKTYPE), b"")),
    "a pipe": lambda _: packed((entry("pipe", tarfile.FIFOTYPE), b"")),
    "a file of holes, which costs nothing to send": lambda _: packed((holes(), b"")),
    "a directory's mode through a link": lambda outside: packed(
        (entry("way", tarfile.SYMTYPE, str(outside)), b""), (entry("way", tarfile.DIRTYPE, mode=0o777), b"")
    ),
}


@pytest.mark.parametrize("layer", [False, True])
@pytest.mark.parametrize("attack", HOSTILE)
def test_a_hostile_tree_makes_and_changes_nothing_outside_its_place(
    tmp_path: Path, attack: str, *, layer: bool
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o700)
    (outside / "victim").write_text("kept")
    with pytest.raises((ValueError, OSError)):
        unpacked(HOSTILE[attack](outside), tmp_path / "place", layer=layer)
    assert (outside / "victim").read_text() == "kept"
    assert stat.S_IMODE(outside.stat().st_mode) == 0o700
    assert sorted(os.listdir(tmp_path)) == ["outside", "place"]
    assert not [name for name in os.listdir(tmp_path / "place") if name in {"device", "pipe"}]


def _as_it_is(member: tarfile.TarInfo, _: str) -> tarfile.TarInfo:
    return member


def test_the_hostile_trees_get_out_where_the_archive_is_simply_extracted(tmp_path: Path) -> None:
    """An attack that fails anyway proves nothing."""
    outside, place = tmp_path / "outside", tmp_path / "place"
    outside.mkdir()
    place.mkdir()
    for attack in ("a path upwards", "an absolute path", "through a link to a directory"):
        with tarfile.open(fileobj=io.BytesIO(HOSTILE[attack](outside))) as archive:
            archive.extraction_filter = _as_it_is
            archive.extractall(place)
    assert (outside / "victim").read_text() == "evil"
    assert (tmp_path / "victim").read_text() == "evil"


def test_a_tree_arrives_as_it_was_with_links_modes_and_times(tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    (origin / "a/b").mkdir(parents=True)
    (origin / "a/b/program").write_bytes(bytes(range(256)) * 300)
    (origin / "a/b/program").chmod(0o755)
    (origin / "dangling").symlink_to("/no/such")
    os.utime(origin / "a/b/program", (1, 1_000_000_000.5))
    (origin / "a").chmod(0o555)
    os.mkfifo(origin / "pipe")
    stream = io.BytesIO()
    try:
        assert trees.pack(str(origin), stream) == []
        unpacked(stream.getvalue(), tmp_path / "place")
        place = tmp_path / "place"
        assert (place / "a/b/program").read_bytes() == (origin / "a/b/program").read_bytes()
        assert stat.S_IMODE((place / "a/b/program").stat().st_mode) == 0o755
        assert (place / "a/b/program").stat().st_mtime == 1_000_000_000.5
        assert stat.S_IMODE((place / "a").stat().st_mode) == 0o555
        assert os.readlink(place / "dangling") == "/no/such"
        assert not (place / "pipe").exists()
    finally:
        for each in (origin, tmp_path / "place"):
            (each / "a").chmod(0o755)


def test_a_file_of_a_time_that_cannot_be_arrives(tmp_path: Path) -> None:
    late = entry("late")
    late.mtime = 1e300
    assert not unpacked(packed((late, b"late")), tmp_path / "place")
    assert (tmp_path / "place/late").read_text() == "late"


def test_one_file_arrives_as_one(tmp_path: Path) -> None:
    (tmp_path / "settings").write_text("one")
    stream = io.BytesIO()
    trees.pack(str(tmp_path / "settings"), stream)
    assert unpacked(stream.getvalue(), tmp_path / "place")
    assert (tmp_path / "place" / trees.SINGLE).read_text() == "one"


def test_a_layer_keeps_its_whiteouts_and_opaque_directories_and_other_trees_have_none(tmp_path: Path) -> None:
    upper = tmp_path / "upper"
    (upper / "anew").mkdir(parents=True)
    os.setxattr(upper / "anew", "user.overlay.opaque", b"y")
    os.mknod(upper / "gone", stat.S_IFCHR, 0)
    stream = io.BytesIO()
    layers.pack([str(upper)], stream)
    unpacked(stream.getvalue(), tmp_path / "layer", layer=True)
    found = os.lstat(tmp_path / "layer/gone")
    assert (stat.S_ISCHR(found.st_mode), found.st_rdev) == (True, 0)
    assert os.getxattr(tmp_path / "layer/anew", "user.overlay.opaque") == b"y"
    with pytest.raises(ValueError, match="no file, directory or link"):
        unpacked(stream.getvalue(), tmp_path / "plain")


def test_a_layer_of_several_arrives_as_what_they_show_together(tmp_path: Path) -> None:
    """As the kernel merges them: the uppermost that has a name decides, down to one that is opaque."""
    above, below = tmp_path / "above", tmp_path / "below"
    for name in ("merged", "anew", "replaced"):
        (above / name).mkdir(parents=True)
        (above / name / "above").write_text("above")
    for name in ("merged", "anew", "removed"):
        (below / name).mkdir(parents=True)
        (below / name / "below").write_text("below")
    (below / "merged" / "above").write_text("below")
    (below / "replaced").write_text("a file")
    os.setxattr(above / "anew", "user.overlay.opaque", b"y")
    os.mknod(above / "removed", stat.S_IFCHR, 0)
    os.mknod(below / "gone", stat.S_IFCHR, 0)
    stream = io.BytesIO()
    layers.pack([str(above), str(below)], stream)
    unpacked(stream.getvalue(), tmp_path / "layer", layer=True)
    place = tmp_path / "layer"
    assert sorted(os.listdir(place)) == ["anew", "gone", "merged", "removed", "replaced"]
    assert {path.name: path.read_text() for path in (place / "merged").iterdir()} == {
        "above": "above",
        "below": "below",
    }
    assert os.listdir(place / "anew") == os.listdir(place / "replaced") == ["above"]
    for name in ("gone", "removed"):
        assert stat.S_ISCHR(os.lstat(place / name).st_mode)
    # What a directory of the lower layer hid of the workspace stays hidden.
    for name in ("anew", "replaced"):
        assert os.getxattr(place / name, "user.overlay.opaque") == b"y"
    assert "user.overlay.opaque" not in os.listxattr(place / "merged")


def test_a_layer_deeper_than_any_review_arrives_as_deep_as_that_goes(tmp_path: Path) -> None:
    """Nor can it be gone through to its end: nothing inside may keep its sandbox from being destroyed."""
    upper = tmp_path / "upper"
    upper.mkdir()
    opened = os.open(upper, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=opened)
        inner = os.open("d", os.O_RDONLY, dir_fd=opened)
        os.close(opened)
        opened = inner
    os.close(opened)
    try:
        _open_up(str(upper))
        stream = io.BytesIO()
        layers.pack([str(upper)], stream)
        unpacked(stream.getvalue(), tmp_path / "layer", layer=True)
        assert (tmp_path / "layer" / "/".join("d" * MAX_DEPTH)).is_dir()
    finally:
        remove(str(upper))


def test_a_set_uid_bit_of_the_guest_does_not_reach_the_host(tmp_path: Path) -> None:
    unpacked(packed((entry("program", mode=0o4755), b"x")), tmp_path / "place", layer=True)
    assert stat.S_IMODE((tmp_path / "place/program").stat().st_mode) == 0o755
