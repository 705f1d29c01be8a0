"""Copy a layer, where it cannot be put below another: with its marks, hard links, modes, times and attributes.

What is copied was written by a sandbox that is paused: by descriptor, without links, no deeper than a review goes.
"""

import fcntl
import posix
from collections.abc import Generator
from contextlib import contextmanager

from aisbx_linux.layer.carry import pour
from aisbx_linux.protect.walk import MAX_DEPTH

COPY, REFLINK = "copy", "reflink"
_FORMAT, _DIRECTORY, _LINK, _FILE = 0o170000, 0o040000, 0o120000, 0o100000
_PERMISSIONS = 0o7777
_CLONE = 0x40049409
"""ioctl_ficlone(2), FICLONE."""
_OPEN = posix.O_RDONLY | posix.O_NOFOLLOW | posix.O_CLOEXEC | posix.O_NONBLOCK
_MAKE = posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | posix.O_NOFOLLOW | posix.O_CLOEXEC


def copy_tree(source: str, target: str) -> str:
    """Copy the directory `source` to a new one; gives `REFLINK` where its files share their blocks, else `COPY`.

    OSError where it cannot be copied whole; what was made of it stays.
    """
    copying = _Copying()
    posix.mkdir(target, 0o700)
    above, _, name = source.rpartition("/")
    parent = posix.open(above, _OPEN | posix.O_DIRECTORY)
    try:
        status = posix.lstat(name, dir_fd=parent)
        with _opened(parent, name, status) as opened:
            copying.directory(opened, posix.open(target, _OPEN | posix.O_DIRECTORY), status, 0)
    finally:
        posix.close(parent)
    return REFLINK if copying.clones else COPY


class _Copying:
    """One pass; `clones` as long as the file system shares blocks."""

    def __init__(self) -> None:
        self.clones = True
        self._root = posix.geteuid() == 0
        self._seen: dict[int, str] = {}
        self._top = -1

    def directory(self, source: int, target: int, status: posix.stat_result, depth: int, path: str = "") -> None:
        """Copy all in a directory, and what it is itself; closes the target."""
        if self._top < 0:
            self._top = target
        try:
            if depth > MAX_DEPTH:
                raise OSError(f"{path}: nested deeper than {MAX_DEPTH} directories: end what runs in the sandbox")
            for name in posix.listdir(source):
                self._entry(source, target, name, f"{path}{name}", depth)
            self._attributes(source, target)
            if self._root:
                posix.fchown(target, status.st_uid, status.st_gid)
            posix.fchmod(target, status.st_mode & _PERMISSIONS)
            posix.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
        finally:
            posix.close(target)

    def _entry(self, source: int, target: int, name: str, path: str, depth: int) -> None:
        status = posix.lstat(name, dir_fd=source)
        kind = status.st_mode & _FORMAT
        if kind == _DIRECTORY:
            posix.mkdir(name, 0o700, dir_fd=target)
            with _opened(source, name, status) as opened:
                made = posix.open(name, _OPEN | posix.O_DIRECTORY, dir_fd=target)
                self.directory(opened, made, status, depth + 1, f"{path}/")
            return
        if status.st_nlink > 1 and (first := self._seen.setdefault(status.st_ino, path)) != path:
            posix.link(first, name, src_dir_fd=self._top, dst_dir_fd=target, follow_symlinks=False)
            return
        if kind == _FILE:
            self._file(source, target, name, status)
            return
        if kind == _LINK:
            posix.symlink(posix.readlink(name, dir_fd=source), name, dir_fd=target)
        else:  # a mark of what is gone (a device of number 0), a pipe, a socket
            posix.mknod(name, status.st_mode, status.st_rdev, dir_fd=target)
            posix.chmod(name, status.st_mode & _PERMISSIONS, dir_fd=target)
        if self._root:
            posix.chown(name, status.st_uid, status.st_gid, dir_fd=target, follow_symlinks=False)
        posix.utime(name, ns=(status.st_atime_ns, status.st_mtime_ns), dir_fd=target, follow_symlinks=False)

    def _file(self, source: int, target: int, name: str, status: posix.stat_result) -> None:
        made = posix.open(name, _MAKE, 0o600, dir_fd=target)
        with _opened(source, name, status) as opened:
            if self.clones and status.st_size:
                self.clones = _clone(opened, made)
            if not self.clones:
                pour(opened, made)
            self._attributes(opened, made)
            if self._root:
                posix.fchown(made, status.st_uid, status.st_gid)
            posix.fchmod(made, status.st_mode & _PERMISSIONS)
            posix.utime(made, ns=(status.st_atime_ns, status.st_mtime_ns))
        posix.close(made)

    @staticmethod
    def _attributes(source: int, target: int) -> None:
        for name in posix.listxattr(source):
            if name.startswith("user."):
                posix.setxattr(target, name, posix.getxattr(source, name))


def _clone(source: int, target: int) -> bool:
    try:
        fcntl.ioctl(target, _CLONE, source)
    except OSError:
        return False
    return True


@contextmanager
def _opened(above: int, name: str, status: posix.stat_result) -> Generator[int]:
    """Open a file or directory of ours, which its owner may have to be allowed to read first, and shut it again.

    An attribute is read by who may read the file now, whatever is open (fs/xattr.c).
    """
    directory = status.st_mode & _FORMAT == _DIRECTORY
    wanted, mode = 0o500 if directory else 0o400, status.st_mode & _PERMISSIONS
    shut = posix.geteuid() != 0 and mode & wanted != wanted
    if shut:
        posix.chmod(name, mode | wanted, dir_fd=above)
    opened = -1
    try:
        opened = posix.open(name, _OPEN | (posix.O_DIRECTORY if directory else 0), dir_fd=above)
        yield opened
    finally:
        if opened >= 0:
            posix.close(opened)
        if shut:
            posix.chmod(name, mode, dir_fd=above)
