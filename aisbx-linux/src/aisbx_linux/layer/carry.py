"""Carry one entry from one tree to another: whole or not at all, never through a link, never over what is not known.

Each file is made beside its place and renamed there (rename(2)); one that nothing can be writing to any more is moved
there itself, where the file system is the same.
"""

import errno
import posix

from aisbx_linux.layer.equal import MARKS, OPEN_FILE, attributes
from aisbx_linux.layer.walk import DIRECTORY, FIFO, FILE, LINK, kind_of
from aisbx_linux.protect.walk import open_beneath

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from aisbx_linux.layer.walk import Difference

_PERMISSIONS, _SET_ID, _OWNER = 0o7777, 0o6000, 0o700
_LOCKED = 1 << 16  # stands for the mode 0
_CHUNK = 1 << 30


class UndoneError(Exception):
    """It was not carried; the text says why."""


class Carrier:
    """Carries differences of a layer to the workspace; close it when done, for modes of directories come last."""

    def __init__(self, sources: "Sequence[int]", target: int, *, move: bool) -> None:
        """Carry from `sources`, one for each layer, to `target`: open directories.

        `move`: nothing has the files of the sources open any more, and nothing stands on them.
        """
        self._sources = sources
        self._target = target
        self._move = move
        self._root = posix.geteuid() == 0
        self._later: list[tuple[str, posix.stat_result]] = []
        self.temporary = f".aisbx-{posix.urandom(6).hex()}"
        """What is being made is called this, beside its place."""

    def close(self) -> None:
        """Give directories the modes that they are to have, inner ones first."""
        for path, status in reversed(self._later):
            try:
                opened = open_beneath(self._target, path)
            except OSError:
                continue  # taken away meanwhile
            try:
                posix.fchmod(opened, status.st_mode & _PERMISSIONS)
            finally:
                posix.close(opened)
        self._later.clear()

    def carry(self, difference: "Difference") -> "posix.stat_result | None":
        """Make one entry of the target what it is in the source; gives what is there now, None for nothing.

        UndoneError where that would lose something, or cannot be; the target is then as it was.
        """
        parent, _, name = difference.path.rpartition("/")
        try:
            above = open_beneath(self._target, parent)
        except OSError as error:
            raise UndoneError(f"its directory cannot be reached: {error.strerror}") from None
        shut = 0
        try:
            self._unchanged(above, name, difference.was)
            shut = _unlock(above)
            if difference.now is None:
                self._take_away(above, name, difference)
                return None
            self._put(above, parent, name, difference)
            return posix.lstat(name, dir_fd=above)
        except OSError as error:
            raise UndoneError(f"{error.strerror or error}") from None
        finally:
            _lock(above, shut)
            posix.close(above)

    def _unchanged(self, above: int, name: str, was: "posix.stat_result | None") -> None:
        """See that the target is still what was compared: the host works in it too."""
        try:
            found = posix.lstat(name, dir_fd=above)
        except FileNotFoundError:
            found = None
        if kind_of(was) == DIRECTORY and kind_of(found) == DIRECTORY:
            return
        if (found and (found.st_ino, found.st_ctime_ns)) != (was and (was.st_ino, was.st_ctime_ns)):
            raise UndoneError("it was changed on the host just now")

    def _take_away(self, above: int, name: str, difference: "Difference") -> None:
        if difference.kind != DIRECTORY:
            posix.unlink(name, dir_fd=above)
            return
        try:
            posix.rmdir(name, dir_fd=above)
        except OSError as error:
            if error.errno in {errno.ENOTEMPTY, errno.EEXIST}:
                raise UndoneError("something in it stays") from None
            raise

    def _put(self, above: int, parent: str, name: str, difference: "Difference") -> None:
        now, kind = difference.now, difference.kind
        if now is None:
            return
        if kind == DIRECTORY:
            self._directory(above, name, difference, now)
            return
        beneath = open_beneath(self._sources[difference.layer], parent)
        shut = _unlock(beneath) if self._move else 0
        try:
            if kind == FILE:
                self._file(beneath, above, name, difference, now)
            elif kind in {LINK, FIFO}:
                self._made(beneath, above, difference, now)
            else:
                raise UndoneError(f"a {kind} cannot be applied")
        finally:
            _lock(beneath, shut)
            posix.close(beneath)

    def _directory(self, above: int, name: str, difference: "Difference", now: "posix.stat_result") -> None:
        if difference.was is None:
            posix.mkdir(name, 0o700, dir_fd=above)
            if self._root:
                posix.chown(name, now.st_uid, now.st_gid, dir_fd=above, follow_symlinks=False)
        opened = open_beneath(above, name)
        try:
            if difference.was is None:
                self._mark(opened, difference)
            else:
                posix.fchmod(opened, now.st_mode & _PERMISSIONS | _OWNER)
        finally:
            posix.close(opened)
        self._later.append((difference.path, now))

    def _mark(self, made: int, difference: "Difference") -> None:
        """Give a new directory its attributes; one that its owner can't read is reported as that."""
        try:
            source = open_beneath(self._sources[difference.layer], difference.path)
        except PermissionError:
            return
        try:
            _attributes(source, made)
        finally:
            posix.close(source)

    def _file(self, beneath: int, above: int, name: str, difference: "Difference", now: "posix.stat_result") -> None:
        try:
            opened = posix.open(name, OPEN_FILE, dir_fd=beneath)
        except PermissionError:
            if not self._move:
                raise
            posix.chmod(name, 0o600, dir_fd=beneath)  # its own mode follows
            opened = posix.open(name, OPEN_FILE, dir_fd=beneath)
        try:
            found = posix.fstat(opened)
            if (found.st_ino, kind_of(found)) != (now.st_ino, FILE):
                raise UndoneError("it is being changed inside")
            mode = now.st_mode & _PERMISSIONS
            if difference.was is None or difference.was.st_mode & _SET_ID != mode & _SET_ID:
                mode &= ~_SET_ID
            if self._move and found.st_nlink == 1 and self._moved(opened, beneath, above, difference, mode):
                return
            self._copied(opened, above, difference, mode, now)
        finally:
            posix.close(opened)

    def _moved(self, opened: int, beneath: int, above: int, difference: "Difference", mode: int) -> bool:
        """Move a file; False where it lies on another file system."""
        marks = [attribute for attribute in posix.listxattr(opened) if attribute.startswith(MARKS)]
        if marks:
            posix.fchmod(opened, 0o600)  # its owner may not change them where the mode lets nobody write
        for mark in marks:
            posix.removexattr(opened, mark)
        posix.fchmod(opened, mode)
        try:
            self._give(difference.path.rpartition("/")[2], beneath, above, difference)
        except OSError as error:
            if error.errno == errno.EXDEV:
                return False
            raise
        return True

    def _give(self, made: str, beneath: int, above: int, difference: "Difference") -> None:
        """Give what is whole its place, if the host did nothing there while it was made."""
        name = difference.path.rpartition("/")[2]
        self._unchanged(above, name, difference.was)
        posix.rename(made, name, src_dir_fd=beneath, dst_dir_fd=above)

    def _copied(self, opened: int, above: int, difference: "Difference", mode: int, now: "posix.stat_result") -> None:
        flags = posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | posix.O_NOFOLLOW | posix.O_CLOEXEC
        made = posix.open(self.temporary, flags, 0o600, dir_fd=above)
        try:
            try:
                pour(opened, made)
                if self._root:
                    posix.fchown(made, now.st_uid, now.st_gid)
                _attributes(opened, made)
                posix.fchmod(made, mode)
                posix.utime(made, ns=(now.st_atime_ns, now.st_mtime_ns))
                if posix.fstat(opened).st_ctime_ns != now.st_ctime_ns and not self._move:
                    raise UndoneError("it is being changed inside")
            finally:
                posix.close(made)
            self._give(self.temporary, above, above, difference)
        except BaseException:
            posix.unlink(self.temporary, dir_fd=above)
            raise

    def _made(self, beneath: int, above: int, difference: "Difference", now: "posix.stat_result") -> None:
        if difference.kind == LINK:
            target = posix.readlink(difference.path.rpartition("/")[2], dir_fd=beneath)
            posix.symlink(target, self.temporary, dir_fd=above)
        else:
            posix.mkfifo(self.temporary, now.st_mode & 0o777, dir_fd=above)
        try:
            if self._root:
                posix.chown(self.temporary, now.st_uid, now.st_gid, dir_fd=above, follow_symlinks=False)
            self._give(self.temporary, above, above, difference)
        except BaseException:
            posix.unlink(self.temporary, dir_fd=above)
            raise


def _unlock(directory: int) -> int:
    """Let its owner write to a directory for a moment; gives the mode that `_lock` gives back, 0 for as it is."""
    mode = posix.fstat(directory).st_mode & _PERMISSIONS
    if mode & _OWNER == _OWNER:
        return 0
    posix.fchmod(directory, mode | _OWNER)
    return mode or _LOCKED


def _lock(directory: int, mode: int) -> None:
    if mode:
        posix.fchmod(directory, mode & _PERMISSIONS)


def pour(source: int, target: int) -> None:
    """Copy what a file holds; what is a hole in it stays one, so that its size costs nothing."""
    size = posix.fstat(source).st_size
    at = 0
    while at < size:
        try:
            start = posix.lseek(source, at, posix.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                break  # only a hole is left
            raise
        at = posix.lseek(source, start, posix.SEEK_HOLE)
        posix.lseek(target, start, 0)
        while start < at:
            sent = posix.sendfile(target, source, start, min(at - start, _CHUNK))
            if not sent:
                break  # it was cut off meanwhile
            start += sent
    posix.ftruncate(target, size)


def _attributes(source: int, target: int) -> None:
    """Copy a user's attributes; those that mark a layer stay behind."""
    for name, value in attributes(source).items():
        try:
            posix.setxattr(target, name, value)
        except OSError as error:
            if error.errno != errno.EOPNOTSUPP:
                raise
