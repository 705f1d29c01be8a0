"""Filters on disk: read back as they were made, or made again; never taken from others."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from aisbx.errors import ConfigError, StateError
from aisbx_linux.seccomp import bpf, cache, cached_filter, compile_filter, library, table
from aisbx_linux.seccomp.bpf import Instruction

from .support import AS_ROOT, PYTHON, bwrap

ALLOW_ALL = bpf.encode([Instruction(bpf.RETURN, bpf.RET_ALLOW)])


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A directory with the filter of `base` in it."""
    directory = tmp_path / "filters"
    cached_filter(["base"], directory)
    return directory


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """What has been compiled since the test began."""
    calls: list[tuple[str, ...]] = []

    def compiling(groups: tuple[str, ...]) -> bytes:
        calls.append(tuple(groups))
        return compile_filter(groups)

    monkeypatch.setattr(cache, "compile_filter", compiling)
    return calls


def only_file(directory: Path) -> Path:
    (file,) = directory.iterdir()
    return file


def test_a_filter_is_compiled_once_and_then_read(tmp_path: Path, compiled: list[tuple[str, ...]]) -> None:
    first = cached_filter(["base"], tmp_path / "a/b/filters")
    second = cached_filter(["base"], str(tmp_path / "a/b/filters"))
    assert first == second == compile_filter(["base"])
    assert compiled == [("base",)]


def test_the_directory_and_its_files_are_closed_to_others(kept: Path) -> None:
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700
    assert stat.S_IMODE(only_file(kept).stat().st_mode) == 0o600


def test_different_groups_have_different_files_and_equal_ones_share(
    kept: Path, compiled: list[tuple[str, ...]]
) -> None:
    cached_filter(["base", "numa"], kept)
    cached_filter(["numa", "base", "sync"], kept)
    assert compiled == [("base", "numa")]


@pytest.mark.parametrize("what", ["the table", "the code", "the library", "the machine"])
def test_anything_that_shapes_a_filter_makes_a_new_one(what: str, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if what == "the table":
        monkeypatch.setattr(table, "SOURCE", table.SOURCE + b"\n")
    elif what == "the code":
        monkeypatch.setattr(cache, "_CODE", (*cache._CODE, "table.py"))
    elif what == "the library":
        monkeypatch.setattr(library, "version", lambda: "2.99.0")
    else:
        real = os.uname()
        monkeypatch.setattr(os, "uname", lambda: os.uname_result((*real[:4], "aarch64")))
    cached_filter(["base"], kept)
    assert len(list(kept.iterdir())) == 2


def _flip(content: bytes, position: int) -> bytes:
    return content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :]


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "half": lambda content: content[: len(content) // 2],
    "last bit": lambda content: content[:-1] + bytes([content[-1] ^ 1]),
    "digest": lambda content: _flip(content, 20),
    "magic": lambda content: _flip(content, 0),
    "longer": lambda content: content + b"\0" * 8,
    "bare program": lambda _: ALLOW_ALL,
    "other program": lambda content: content[:48] + ALLOW_ALL,
    "huge": lambda content: content * 100,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_replaced_and_never_used(damage: str, kept: Path) -> None:
    file, right = only_file(kept), compile_filter(["base"])
    sound = file.read_bytes()
    file.write_bytes(DAMAGE[damage](sound))
    assert cached_filter(["base"], kept) == right
    assert only_file(kept).read_bytes() == sound


def test_another_filter_under_this_name_is_not_used(kept: Path) -> None:
    """Such as an older, wider one, renamed."""
    file = only_file(kept)
    cached_filter(["base", "debug"], kept)
    (wider,) = [other for other in kept.iterdir() if other != file]
    os.replace(wider, file)
    assert cached_filter(["base"], kept) == compile_filter(["base"])


@pytest.mark.parametrize("kind", ["link", "hard link", "fifo", "directory", "writable by others"])
def test_what_is_not_a_plain_file_of_ours_is_not_read(kind: str, kept: Path, tmp_path: Path) -> None:
    file, aside = only_file(kept), tmp_path / "aside"
    if kind == "hard link":
        os.link(file, aside)
    elif kind == "writable by others":
        file.chmod(0o666)
    else:
        os.rename(file, aside)
        if kind == "link":
            file.symlink_to(aside)
        elif kind == "fifo":
            os.mkfifo(file, 0o600)
        else:
            file.mkdir()
    assert cache._read(os.open(kept, os.O_RDONLY), file.name) is None
    assert cached_filter(["base"], kept) == compile_filter(["base"])
    if kind != "directory":  # which cannot be replaced: then nothing is kept
        assert stat.S_ISREG(file.lstat().st_mode)
        assert file.stat().st_nlink == 1


def test_a_directory_that_is_a_link_is_refused(kept: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(kept)
    with pytest.raises(StateError, match="cannot be kept here") as caught:
        cached_filter(["base"], tmp_path / "link")
    assert "remove it" in caught.value.hint


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701])
def test_a_directory_open_to_others_is_refused(mode: int, kept: Path) -> None:
    kept.chmod(mode)
    with pytest.raises(StateError, match=f"mode {mode:04o}"):
        cached_filter(["base"], kept)


def test_a_directory_of_another_user_is_refused(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if AS_ROOT:
        os.chown(kept, 1000, 1000)
    else:
        mine = os.geteuid()
        monkeypatch.setattr(os, "geteuid", lambda: mine + 1)
    with pytest.raises(StateError, match="owner"):
        cached_filter(["base"], kept)


def test_a_file_in_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "filters").write_bytes(b"")
    with pytest.raises(StateError):
        cached_filter(["base"], tmp_path / "filters")


def test_where_nothing_can_be_kept_the_filter_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert cached_filter(["base"], tmp_path / "file/filters") == compile_filter(["base"])


def test_nothing_is_left_behind_when_a_file_cannot_be_put_in_place(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    only_file(kept).unlink()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    assert cached_filter(["base"], kept) == compile_filter(["base"])
    assert list(kept.iterdir()) == []


def test_an_unknown_group_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        cached_filter(["nosuch"], tmp_path / "filters")
    assert not (tmp_path / "filters").exists()


MISSING = """
import sys
sys.path[:0] = sys.argv[2:]
from aisbx.errors import ControlError
from aisbx_linux.seccomp import cached_filter
try:
    cached_filter(["base"], sys.argv[1])
    print("gave a filter")
except ControlError as error:
    print(error.control, "|", error.message, "|", error.hint)
"""


def test_without_libseccomp_there_is_no_filter_but_a_way_to_get_one(kept: Path) -> None:
    import aisbx
    import aisbx_linux

    paths = [os.path.dirname(os.path.dirname(module.__file__ or "")) for module in (aisbx, aisbx_linux)]
    with open("/proc/self/maps", encoding="utf-8") as maps:
        (hidden,) = {line.split()[-1] for line in maps if "libseccomp.so" in line}
    done = bwrap([PYTHON, "-c", MISSING, str(kept), *paths], "--ro-bind", "/dev/null", hidden)
    assert done.stdout.startswith("sys:filter | system calls cannot be filtered: libseccomp.so.2"), done.stderr
    assert "apt-get install libseccomp2" in done.stdout
