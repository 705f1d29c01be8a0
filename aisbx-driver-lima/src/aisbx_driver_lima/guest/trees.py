"""Carry a directory as tar: out of one side, and into the other, where nothing it holds leads out of its place.

`tarfile` reads and writes the format; files are made here, each below an open directory and without following links.
"""

import contextlib
import os
import stat
import tarfile
from collections.abc import Iterator
from typing import IO, Protocol, cast

_OPAQUE = "user.overlay.opaque"
OPAQUE_HEADER = f"SCHILY.xattr.{_OPAQUE}"
"""Of a directory of a layer that hides what is below it."""
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_MOST_ENTRIES = 1_000_000
SINGLE = "file"
"""The name of a tree that is one file, in the directory that it was unpacked in."""


class Sink(Protocol):
    """Where a tree is written to."""

    def write(self, data: bytes, /) -> int:
        """Take bytes."""
        ...


class Source(Protocol):
    """Where a tree is read from."""

    def read(self, size: int, /) -> bytes:
        """Give bytes."""
        ...


def pack(root: str, sink: Sink) -> list[str]:
    """Write the directory, or the one file, `root`; gives a line for what was left out.

    OSError where a file changes while it is read.
    """
    left: list[str] = []
    with tarfile.open(fileobj=cast("IO[bytes]", sink), mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for path, name in _entries(root, left):
            try:
                _pack_one(archive, path, name)
            except PermissionError as error:
                left.append(f"not copied: {name}: {error.strerror}")
            except FileNotFoundError:
                continue  # it was removed meanwhile
    return left


def size(root: str) -> int:
    """Give the bytes of all files in a directory, or of the one file; those that cannot be looked at count nothing."""
    total = 0
    for path, _ in _entries(root, []):
        with contextlib.suppress(OSError):
            status = os.lstat(path)
            total += status.st_size if stat.S_ISREG(status.st_mode) else 0
    return total


def _entries(root: str, left: list[str]) -> Iterator[tuple[str, str]]:
    """Give each path with its name below the root, directories before what is in them."""
    if not stat.S_ISDIR(os.lstat(root).st_mode):
        yield root, "."
        return

    def unread(error: OSError) -> None:
        left.append(f"not copied: {os.path.relpath(str(error.filename), root)}: {error.strerror}")

    yield root, "."
    for above, folders, files in os.walk(root, onerror=unread):
        for each in sorted((*folders, *files)):
            path = os.path.join(above, each)
            yield path, os.path.relpath(path, root)


def _pack_one(archive: tarfile.TarFile, path: str, name: str) -> None:
    status = os.lstat(path)
    info = tarfile.TarInfo(name)
    info.mode, info.mtime = stat.S_IMODE(status.st_mode), status.st_mtime
    if stat.S_ISDIR(status.st_mode):
        info.type = tarfile.DIRTYPE
        archive.addfile(info)
    elif stat.S_ISLNK(status.st_mode):
        info.type, info.linkname = tarfile.SYMTYPE, os.readlink(path)
        archive.addfile(info)
    elif stat.S_ISREG(status.st_mode):
        with open(os.open(path, READ), "rb") as file:
            info.size = os.fstat(file.fileno()).st_size
            archive.addfile(info, file)
    # Sockets, pipes and devices are no content.


def unpack(source: Source, root: int, *, layer: bool = False) -> bool:
    """Make what a tree holds in the open, empty directory `root`; tells whether it was one file, called `SINGLE`.

    ValueError for what is no plain file, directory or link, or lies elsewhere; with `layer` also the marks of an
    overlay's upper directory (overlayfs.rst: whiteouts, opaque directories). Set-uid and
    set-gid bits of files are left out.
    """
    modes: list[tuple[str, int]] = []
    single = False
    with tarfile.open(fileobj=cast("IO[bytes]", source), mode="r|") as archive:
        for count, info in enumerate(archive):
            if count >= _MOST_ENTRIES:
                raise ValueError("the tree has too many entries")
            parts = [part for part in info.name.split("/") if part not in {"", "."}]
            if ".." in parts or info.name.startswith("/") or "\0" in info.name:
                raise ValueError(f"an entry of the tree lies elsewhere: {info.name!r}")
            if not parts:
                single = info.isreg()
                if single:
                    _file(archive, info, root, SINGLE)
                modes.append(("", 0o755 if single else info.mode & 0o7777))
                continue
            above = _walk(root, parts[:-1])
            try:
                if info.isdir():
                    os.mkdir(parts[-1], 0o700, dir_fd=above)
                    if layer and info.pax_headers.get(OPAQUE_HEADER) == "y":
                        _mark(above, parts[-1])
                    modes.append(("/".join(parts), info.mode & 0o7777))
                else:
                    _leaf(archive, info, above, parts[-1], layer=layer)
            finally:
                os.close(above)
    for path, mode in reversed(modes):
        opened = _walk(root, path.split("/") if path else [])
        try:
            os.fchmod(opened, mode)
        finally:
            os.close(opened)
    return single


def _leaf(archive: tarfile.TarFile, info: tarfile.TarInfo, above: int, name: str, *, layer: bool) -> None:
    if info.isreg():
        _file(archive, info, above, name)
    elif info.issym():
        os.symlink(info.linkname, name, dir_fd=above)
    elif layer and info.ischr() and (info.devmajor, info.devminor) == (0, 0):
        os.mknod(name, stat.S_IFCHR, 0, dir_fd=above)  # a whiteout: Linux 5.8 lets everybody make one
    else:
        raise ValueError(f"an entry of the tree is no file, directory or link: {info.name!r}")


def _file(archive: tarfile.TarFile, info: tarfile.TarInfo, above: int, name: str) -> None:
    if info.issparse():  # what it says of its holes costs nothing, and fills a disk
        raise ValueError(f"an entry of the tree has holes: {info.name!r}")
    content = archive.extractfile(info)
    with open(os.open(name, _NEW, 0o600, dir_fd=above), "wb") as file:
        while content is not None and (data := content.read(1 << 16)):
            file.write(data)
        file.flush()
        os.fchmod(file.fileno(), info.mode & 0o1777)
        with contextlib.suppress(OverflowError):  # at no time that there is
            os.utime(file.fileno(), (info.mtime, info.mtime))


def _walk(root: int, parts: list[str]) -> int:
    """Open a directory below `root`, no link on the way; OSError."""
    opened = os.dup(root)
    for part in parts:
        inner = os.open(part, _FOLDER, dir_fd=opened)
        os.close(opened)
        opened = inner
    return opened


def _mark(above: int, name: str) -> None:
    opened = os.open(name, _FOLDER, dir_fd=above)
    try:
        os.setxattr(opened, _OPAQUE, b"y")
    finally:
        os.close(opened)
