"""Write what a tar stream on stdin holds into the root directory of this process, which `unpack` has confined.

Nothing becomes a device, a pipe, or a program that runs as another user; owners are those of who unpacks, and nobody
else may write but where all may in every system.
"""

import bz2
import gzip
import lzma
import os
import stat
import tarfile
import time
import zlib
from contextlib import suppress
from tarfile import HeaderError
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aisbx_linux.roots.unpack import Bounds

READERS = (bz2, gzip, lzma, zlib)
"""tarfile imports each where it is needed: then there is nothing left to import from."""
_PIECE = 1 << 18
_EVERY = 5.0
"""Seconds between two reports."""
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_USUAL = 0o755
_SHARED = frozenset(("/tmp", "/var/tmp", "/dev/shm", "/run/lock"))
"""Where all may write, and nothing is run from."""


class Refused(Exception):  # noqa: N818 - it is said of an archive
    """An archive is not one that is unpacked; says why."""


def extract(bounds: "Bounds", say: "Callable[[Mapping[str, int]], None]", own: str) -> dict[str, int]:
    """Unpack; gives how many files and bytes there are, and what was left out.

    `own` is the path of what is ours, of which nothing is taken.

    Refused, OSError or tarfile.TarError where it is not all there, or not to be unpacked.
    """
    state = _State(bounds, say, own)
    with (
        open(0, "rb", closefd=False) as stream,
        tarfile.open(fileobj=stream, mode="r|*", bufsize=_PIECE, tarinfo=_Member) as archive,
    ):
        for member in archive:
            state.entry(archive, member)
            archive.members = []  # type: ignore[attr-defined]  # it keeps each: millions
    return state.finish()


class _Member(tarfile.TarInfo):
    """An entry; tarfile takes a damaged one, and an end without its mark, for the end of a whole archive."""

    @classmethod
    def fromtarfile(cls, tarfile: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(tarfile)
        except HeaderError as error:
            if tarfile.offset == 0 or type(error).__name__ == "EOFHeaderError":
                raise  # it is none at all; or there is its end
            raise Refused(f"it is cut off, or damaged, behind its first {tarfile.offset} bytes") from error


class _State:
    def __init__(self, bounds: "Bounds", say: "Callable[[Mapping[str, int]], None]", own: str) -> None:
        self._bounds = bounds
        self._say = say
        self._own = own
        self._counts = {"files": 0, "bytes": 0, "left_out": 0}
        self._entries = 0
        self._folders: list[tuple[str, int, float]] = []
        self._told = time.monotonic()

    def entry(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        self._entries += 1
        if self._entries > self._bounds.entries:
            raise Refused(f"it holds more than {self._bounds.entries} entries")
        path = _path(member.name)
        if path == self._own or path.startswith(f"{self._own}/"):
            return  # of a root directory that this is the archive of: ours is written when all is there
        if member.isdir():
            self._folder(path, member)
        elif member.isreg():
            self._file(archive, path, member)
        elif member.issym():
            _clear(path)
            os.symlink(member.linkname, path)
        elif member.islnk():
            _clear(path)
            os.link(_path(member.linkname), path, follow_symlinks=False)
        else:
            self._counts["left_out"] += 1  # a device or a pipe
        self._report()

    def _report(self) -> None:
        if time.monotonic() - self._told > _EVERY:
            self._told = time.monotonic()
            self._say(self._counts)

    def _folder(self, path: str, member: tarfile.TarInfo) -> None:
        if path != "/":
            with suppress(FileExistsError):
                _above(path)
                os.mkdir(path, _USUAL)
            if not os.path.isdir(path):
                os.unlink(path)
                os.mkdir(path, _USUAL)
        # Whoever unpacks it can remove it again, and nobody else can write: an archive could have all write where
        # programs are. Its mode comes last: one that is read-only could not be filled.
        mode = _mode(member) if path in _SHARED and member.mode & stat.S_ISVTX else _mode(member) & 0o755
        self._folders.append((path, mode | 0o700, member.mtime))

    def _file(self, archive: tarfile.TarFile, path: str, member: tarfile.TarInfo) -> None:
        source = archive.extractfile(member)
        if source is None:
            raise Refused(f"{path} has no content")
        _clear(path)
        descriptor = os.open(path, _NEW, 0o600)
        try:
            while data := source.read(_PIECE):
                self._counts["bytes"] += len(data)
                if self._counts["bytes"] > self._bounds.size:
                    raise Refused(f"it holds more than {self._bounds.size} bytes")
                rest = memoryview(data)
                while rest:
                    rest = rest[os.write(descriptor, rest) :]
                self._report()
            os.fchmod(descriptor, _mode(member) & 0o755 | 0o400)
            with suppress(OSError, OverflowError):
                os.utime(descriptor, (member.mtime, member.mtime))
        finally:
            os.close(descriptor)
        self._counts["files"] += 1

    def finish(self) -> dict[str, int]:
        for path, mode, moment in reversed(self._folders):
            if os.path.isdir(path) and not os.path.islink(path):
                os.chmod(path, mode)
                with suppress(OSError, OverflowError):
                    os.utime(path, (moment, moment))
        os.chmod("/", _USUAL)
        if not any(os.path.isdir(f"/{name}") for name in ("usr", "bin")):
            raise Refused("it holds no system: there is neither usr nor bin at its top")
        return self._counts


def _mode(member: tarfile.TarInfo) -> int:
    """Give the mode of a member: neither set-user-id nor set-group-id."""
    return stat.S_IMODE(member.mode) & 0o1777


def _path(name: str) -> str:
    parts = [part for part in name.split("/") if part not in {"", "."}]
    if ".." in parts or "\0" in name:
        raise Refused(f"{name!r} leads out of it")
    return "/" + "/".join(parts)


def _above(path: str) -> None:
    above = os.path.dirname(path)
    if not os.path.isdir(above):
        os.makedirs(above, _USUAL)


def _clear(path: str) -> None:
    """See that there is a directory for a path, and nothing at it; a later entry replaces an earlier one."""
    if path == "/":
        raise Refused("its top is no directory")
    _above(path)
    with suppress(FileNotFoundError):
        os.unlink(path)
