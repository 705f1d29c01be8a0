"""A layer whose size is bounded: it lies in an ext4 file system of its own, in a file beside it. As root only.

The file takes all its room from the host's disk at once, so that the layer neither grows beyond it nor meets a disk
that others have filled. It is mounted where the layer is, in the mount namespace of who made it; whoever looks at
the layer where it is not mounted, as after the machine was restarted, mounts it again.
"""

import fcntl
import os
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from aisbx_linux import syscalls
from aisbx_linux.layer.journal import BOOKS
from aisbx_linux.layer.place import DISK, about, fill

LEAST = 8 << 20
"""Bytes: with less of it, what the file system needs for itself is most of it."""
_BLOCK = 4096
_PLACES = ("/usr/sbin", "/usr/bin", "/sbin", "/bin")
_CONTROL = "/dev/loop-control"
_KEPT = ("-q", "-F", "-m", "0", "-b", str(_BLOCK), "-i", str(_BLOCK))
"""A file for each block, as private space has them; no blocks for root alone."""
_BARE = "nodiscard,root_owner=0:0,lazy_itable_init=1,lazy_journal_init=1"
_MOUNTED = "loop,nosuid,nodev,noinit_itable"
"""With `lazy_itable_init`: tables are written when they are needed. To zero them would punch holes into the file."""


def problem(size: int) -> tuple[str, str]:
    """Say why no such layer of `size` bytes can be made here, and what to do; empty where it can."""
    if size < LEAST:
        return f"the layer gets half of it, and is a file system of {LEAST >> 20} MiB at least", "give more"
    if os.geteuid() != 0:
        told = "only root can mount a file system of that size for the layer over the workspace"
        return told, "run it as root, or use a read-only workspace"
    if not os.access(_CONTROL, os.R_OK | os.W_OK):
        told = f"the layer needs a file system of its own, and {_CONTROL} cannot be opened"
        return told, "modprobe loop, or use a read-only workspace"
    if missing := next((name for name in ("mkfs.ext4", "mount") if not _find(name)), ""):
        told = f"the layer needs a file system of its own, and there is no {missing}"
        return told, "apt-get install e2fsprogs mount"
    return "", ""


def make(place: Path, size: int, workspace: tuple[str, str], owner: tuple[int, int] | None) -> None:
    """Make an empty layer in a file system of `size` bytes; `workspace` and `owner` as of `place.make`.

    OSError where that fails: `clear` then takes away what was made.
    """
    place.mkdir(mode=0o700)
    _books(place).mkdir(mode=0o700)
    making = f"{place}.making"
    opened = os.open(making, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.ftruncate(opened, size // _BLOCK * _BLOCK)
        _run("mkfs.ext4", *_KEPT, "-E", _BARE, making)
        os.posix_fallocate(opened, 0, size // _BLOCK * _BLOCK)
    finally:
        os.close(opened)
    os.rename(making, _disk(place))
    mount(place)
    os.chmod(place, 0o700)
    fill(str(place), *workspace, owner, volatile=False)


def there(place: Path) -> bool:
    """Tell whether a layer has a file system of its own."""
    return os.path.lexists(_disk(place))


def mount(place: Path) -> None:
    """Mount it where it is not; OSError where that fails. One file is never two file systems (mount(8))."""
    with _alone(place):
        if not _mounted(place):
            _run("mount", "-n", "-t", "ext4", "-o", _MOUNTED, _disk(place), str(place))


def bring(place: Path) -> None:
    """Mount a layer that has a file system of its own, and leave any other as it is; OSError as of `mount`."""
    if there(place):
        mount(place)


def remove(place: Path) -> None:
    """Take the layer away, with its file system; OSError where something stays."""
    with _alone(place):
        if _mounted(place):
            syscalls.detach(str(place))
        os.unlink(_disk(place))
    place.rmdir()
    for book in _books(place).iterdir():
        book.unlink()
    _books(place).rmdir()


def clear(place: Path) -> None:
    """Take away one that was never finished; OSError where something stays."""
    if there(place):
        mount(place)
        if about(str(place)) is None:
            remove(place)


def _mounted(place: Path) -> bool:
    return os.stat(place).st_dev != os.stat(place.parent).st_dev


@contextmanager
def _alone(place: Path) -> Generator[None]:
    """Keep others from mounting and unmounting it meanwhile."""
    opened = os.open(_disk(place), os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)


def _disk(place: Path) -> str:
    return f"{place}{DISK}"


def _books(place: Path) -> Path:
    """Give where it is noted what was applied of a layer that may be full."""
    return Path(f"{place}{BOOKS}")


def _find(name: str) -> str:
    return next((path for folder in _PLACES if os.access(path := f"{folder}/{name}", os.X_OK)), "")


def _run(name: str, *words: str) -> None:
    """Run a tool of the system to its end; OSError with what it said where it fails."""
    done = subprocess.run(
        [_find(name) or name, *words], stdin=subprocess.DEVNULL, capture_output=True, env={"LC_ALL": "C"}, check=False
    )
    if done.returncode:
        said = " ".join(done.stderr.decode(errors="replace").split())[-300:]
        raise OSError(f"{name}: {said or f'it ended with {done.returncode}'}")
