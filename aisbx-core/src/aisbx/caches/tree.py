"""Trees that somebody inside has made: measured and removed without following links, however deep, wide or closed.

Nothing here goes by a path of more than one name, recurses, or holds more than a few descriptors.
"""

import os
import stat
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice

BLOCK = 512
"""Bytes that `st_blocks` counts in (stat(2))."""
BATCH = 10_000
"""Names that are held at once while a directory is emptied."""

_FLAGS = sum({getattr(os, name, 0) for name in ("O_RDONLY", "O_DIRECTORY", "O_NOFOLLOW", "O_CLOEXEC")})
_PATH = getattr(os, "O_PATH", 0)


@dataclass(slots=True)
class Size:
    """What a tree takes: bytes on the disk and entries, each inode once; `changed` is the latest change (seconds)."""

    bytes: int = 0
    entries: int = 0
    changed: float = 0.0
    complete: bool = True
    """Whether all of it could be read."""
    linked: set[tuple[int, int]] = field(default_factory=set[tuple[int, int]])

    def add(self, found: os.stat_result) -> None:
        """Count one entry. The change time is the one that no program inside can set."""
        self.changed = max(self.changed, found.st_ctime)
        inode = (found.st_dev, found.st_ino)
        if not stat.S_ISDIR(found.st_mode) and found.st_nlink > 1:
            if inode in self.linked:
                return
            self.linked.add(inode)
        self.bytes += getattr(found, "st_blocks", found.st_size // BLOCK) * BLOCK
        self.entries += 1


def measure(path: str) -> Size:
    """Measure a directory that may be changing; what vanishes meanwhile is not counted, other mounts are left out."""
    size = Size()
    try:
        here = os.open(path, _FLAGS)
    except OSError:
        size.complete = False
        return size
    try:
        top = os.fstat(here)
        size.add(top)
        ways = [(_identity(top), _look(here, size))]
        while ways:
            _, names = ways[-1]
            if names:
                with suppress(OSError):
                    below = os.open(names.pop(), _FLAGS, dir_fd=here)
                    os.close(here)
                    here = below
                    ways.append((_identity(os.fstat(here)), _look(here, size)))
                    continue
                size.complete = False
                continue
            ways.pop()
            if ways:
                above = os.open("..", _FLAGS, dir_fd=here)
                os.close(here)
                here = above
                if _identity(os.fstat(here)) != ways[-1][0]:  # moved while we were in it
                    size.complete = False
                    break
    except OSError:
        size.complete = False
    finally:
        os.close(here)
    return size


def _look(here: int, size: Size) -> list[str]:
    """Count what is in a directory, and give the names of those of its directories that are on the same device."""
    device = os.fstat(here).st_dev
    below: list[str] = []
    try:
        with os.scandir(here) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    found = os.stat(entry.name, dir_fd=here, follow_symlinks=False)
                    size.add(found)
                    if stat.S_ISDIR(found.st_mode) and found.st_dev == device:
                        below.append(entry.name)
    except OSError:
        size.complete = False
    return below


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def remove(path: str) -> None:
    """Remove a directory whose siblings are of no interest: deeper ones are moved up beside it first.

    So no path grows long and nothing recurses. Raises OSError for what cannot be removed, such as a mount.
    """
    parent = os.open(os.path.dirname(path), _FLAGS)
    try:
        name = os.path.basename(path)
        waiting = [name]
        made = 0
        while waiting:
            each = waiting.pop()
            with _opened(each, parent) as here:
                for entry in _batches(here):
                    if not stat.S_ISDIR(os.stat(entry, dir_fd=here, follow_symlinks=False).st_mode):
                        os.unlink(entry, dir_fd=here)
                        continue
                    with _opened(entry, here):  # its owner may have closed it to itself
                        made += 1
                        waiting.append(f"{name}-{made}")
                        os.rename(entry, waiting[-1], src_dir_fd=here, dst_dir_fd=parent)
            os.rmdir(each, dir_fd=parent)
    finally:
        os.close(parent)


def discard(path: str) -> None:
    """Remove a directory as `remove` does that lies among others': it is moved into a private one beside it first."""
    above, name = os.path.split(path)
    parent = os.open(above, _FLAGS)
    try:
        with _opened(name, parent):  # it can be moved by who may write to it
            aside = tempfile.mkdtemp(prefix=".aisbx-gone-", dir=above)
            try:
                os.rename(path, f"{aside}/0")
                remove(f"{aside}/0")
            finally:
                with suppress(OSError):  # what could not be removed is still in it
                    os.rmdir(aside)
    finally:
        os.close(parent)


@contextmanager
def _opened(name: str, parent: int) -> Generator[int]:
    """Open a directory and let its owner read, write and enter it."""
    if _PATH:
        itself = os.open(name, _FLAGS | _PATH, dir_fd=parent)
        try:
            if stat.S_IMODE(os.fstat(itself).st_mode) & 0o700 != 0o700:  # noqa: PLR2004 - rwx of the owner
                os.chmod(f"/proc/self/fd/{itself}", 0o700)
        finally:
            os.close(itself)
    here = os.open(name, _FLAGS, dir_fd=parent)
    try:
        yield here
    finally:
        os.close(here)


def _batches(here: int) -> Iterator[str]:
    """Give the names in a directory that is being emptied; what readdir(3) says of those that were removed is open."""
    while True:
        with os.scandir(here) as entries:
            names = [entry.name for entry in islice(entries, BATCH)]
        if not names:
            return
        yield from names
