"""Take what a sandbox planted out of the workspace, without following links and without losing anything.

What can't be moved (another file system and too much of it, no space, no permission to write there) is renamed where
it is, to a name that nothing reads by itself.
"""

import errno
import posix

from aisbx_linux.processes import write_all

_S_IFMT, _S_IFLNK, _S_IFDIR, _S_IFREG = 0o170000, 0o120000, 0o040000, 0o100000
_DIRECTORY = posix.O_RDONLY | posix.O_DIRECTORY | posix.O_NOFOLLOW | posix.O_CLOEXEC
_SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")

# What is copied to another file system, for one thing that is taken: beyond it the rename in place is the better way.
MAX_BYTES = 64 << 20
MAX_ENTRIES = 10_000
MAX_DEPTH = 64
_CHUNK = 1 << 20


class _TooMuchError(OSError):
    """More than is worth copying."""


class Quarantine:
    """A private directory, made when first needed (its parent too); `close` when done."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._fd = -1
        self._count = 0

    def close(self) -> None:
        """Close the directory."""
        if self._fd >= 0:
            posix.close(self._fd)
            self._fd = -1

    def take(self, above: int, name: str) -> str:
        """Move the entry `name` of the directory `above` here; gives words for what was done with it.

        Raises OSError if it is still there under its own name.
        """
        kind = posix.lstat(name, dir_fd=above).st_mode & _S_IFMT
        if kind not in (_S_IFREG, _S_IFDIR, _S_IFLNK):
            posix.unlink(name, dir_fd=above)  # a pipe, a socket or a device holds nothing
            return "removed"
        try:
            fd = self._open()
            label = self._label(name)
            if kind == _S_IFDIR:
                _disarm(above, name, kind)  # to move a directory one has to be able to write in it
            try:
                posix.rename(name, label, src_dir_fd=above, dst_dir_fd=fd)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                self._carry(above, name, kind, fd, label)
            _disarm(fd, label, kind)
        except OSError as error:
            return f"renamed to {_in_place(above, name, kind)}, because it could not be moved ({_say(error)})"
        return f"moved to {self.path}/{label}"

    def copy(self, name: str, data: bytes) -> str:
        """Keep a copy of a file's content; gives its path, or "" if that is not possible."""
        try:
            fd = self._open()
            label = self._label(name)
            _write(fd, label, data, 0o600)
        except OSError:
            return ""
        return f"{self.path}/{label}"

    def _open(self) -> int:
        if self._fd < 0:
            for path in (self.path[: self.path.rfind("/")], self.path):
                try:  # noqa: SIM105  (contextlib costs more than all of this)
                    posix.mkdir(path, 0o700)
                except FileExistsError:
                    pass
            fd = posix.open(self.path, _DIRECTORY)
            status = posix.fstat(fd)
            if status.st_uid != posix.geteuid() or status.st_mode & 0o077:
                posix.close(fd)
                raise PermissionError(errno.EPERM, "the quarantine is open to others")
            self._fd = fd
        return self._fd

    def _label(self, name: str) -> str:
        safe = "".join(char if char in _SAFE else "_" for char in name)[:80]
        while True:
            self._count += 1
            label = f"{self._count:03d}-{safe}"
            try:
                posix.lstat(label, dir_fd=self._fd)
            except FileNotFoundError:
                return label

    def _carry(self, above: int, name: str, kind: int, fd: int, label: str) -> None:
        """Copy to another file system, then remove; nothing is removed before all is copied."""
        budget = [MAX_BYTES, MAX_ENTRIES]
        try:
            _copy(above, name, kind, fd, label, budget, 0)
        except OSError:
            remove(fd, label)
            raise
        remove(above, name)


def _copy(above: int, name: str, kind: int, fd: int, label: str, budget: "list[int]", depth: int) -> None:
    budget[1] -= 1
    if budget[1] < 0 or depth > MAX_DEPTH:
        raise _TooMuchError(errno.EFBIG, "too much to copy")
    if kind == _S_IFLNK:
        posix.symlink(posix.readlink(name, dir_fd=above), label, dir_fd=fd)
    elif kind == _S_IFREG:
        source = posix.open(name, posix.O_RDONLY | posix.O_NOFOLLOW | posix.O_NONBLOCK | posix.O_CLOEXEC, dir_fd=above)
        try:
            budget[0] -= posix.fstat(source).st_size
            if budget[0] < 0:
                raise _TooMuchError(errno.EFBIG, "too much to copy")
            _write(fd, label, b"", 0o600, source)
        finally:
            posix.close(source)
    elif kind == _S_IFDIR:
        posix.mkdir(label, 0o700, dir_fd=fd)
        source = posix.open(name, _DIRECTORY, dir_fd=above)
        target = posix.open(label, _DIRECTORY, dir_fd=fd)
        try:
            for below in posix.listdir(source):
                inner = posix.lstat(below, dir_fd=source).st_mode & _S_IFMT
                _copy(source, below, inner, target, below, budget, depth + 1)
        finally:
            posix.close(source)
            posix.close(target)


def _write(fd: int, name: str, data: bytes, mode: int, source: int = -1) -> None:
    flags = posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | posix.O_NOFOLLOW | posix.O_CLOEXEC
    target = posix.open(name, flags, mode, dir_fd=fd)
    try:
        while True:
            write_all(target, data)
            data = posix.read(source, _CHUNK) if source >= 0 else b""
            if not data:
                return
    finally:
        posix.close(target)


def remove(above: int, name: str) -> None:
    """Remove an entry and all below it, without following links; OSError where that fails."""
    try:
        if posix.lstat(name, dir_fd=above).st_mode & _S_IFMT != _S_IFDIR:
            posix.unlink(name, dir_fd=above)
            return
    except FileNotFoundError:
        return
    fd = posix.open(name, _DIRECTORY, dir_fd=above)
    try:
        for below in posix.listdir(fd):
            remove(fd, below)
    finally:
        posix.close(fd)
    posix.rmdir(name, dir_fd=above)


def _disarm(fd: int, name: str, kind: int) -> None:
    """Leave nothing in the quarantine that runs when its path is typed."""
    if kind == _S_IFLNK:
        return
    handle = posix.open(name, posix.O_PATH | posix.O_NOFOLLOW | posix.O_CLOEXEC, dir_fd=fd)
    try:
        posix.chmod(f"/proc/self/fd/{handle}", 0o700 if kind == _S_IFDIR else 0o600)
    finally:
        posix.close(handle)


def _in_place(above: int, name: str, kind: int) -> str:
    for attempt in range(1000):
        other = f"{name[:200]}.quarantined" + (f"-{attempt}" if attempt else "")
        try:
            posix.lstat(other, dir_fd=above)
        except FileNotFoundError:
            posix.rename(name, other, src_dir_fd=above, dst_dir_fd=above)
            try:  # noqa: SIM105
                _disarm(above, other, kind)
            except OSError:
                pass  # it has another name: that is what counts
            return printable(other)
    raise FileExistsError(errno.EEXIST, "no free name")


def write(above: int, name: str, data: bytes, mode: int) -> None:
    """Replace a file by another in one step; OSError if that fails, and the old one stays."""
    temporary = f"{name}.{posix.getpid()}"
    _write(above, temporary, data, mode)
    try:
        posix.rename(temporary, name, src_dir_fd=above, dst_dir_fd=above)
    except OSError:
        posix.unlink(temporary, dir_fd=above)
        raise


def _say(error: OSError) -> str:
    return error.strerror or "unknown error"


def printable(path: str) -> str:
    """Give a path as one line for a terminal: control characters and undecodable bytes are escaped."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode("ascii") for char in path
    )
