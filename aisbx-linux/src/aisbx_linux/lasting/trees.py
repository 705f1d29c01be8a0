"""Send a tree of files through a pipe and make it anew at the other end; the same code inside a sandbox and outside.

Neither end trusts the other's names or what lies in its own directories: each step goes by an open directory and one
name, and follows no link. Links are kept as links, modes without set-uid, set-gid and sticky bits; what is neither a
file, a directory nor a link is left out and told. A file appears whole or not at all, in the place of what had its
name, never through it.
"""

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field

DIRECTORY, UP, FILE, LINK, SKIPPED, PROBLEM, END = b"d", b"u", b"f", b"l", b"s", b"e", b"."
_HEAD = 9
_CHUNK = 1 << 16
_LONGEST = 4096
"""Bytes of a name, a link's target or a message: PATH_MAX (limits.h)."""
_DEEPEST = 200
_MODES = 0o777
_OPEN = "/proc/self/fd"
_LISTED = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_KINDS = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


class TreeError(Exception):
    """A tree cannot be passed on; the message says what and why."""


@dataclass
class Bounds:
    """How much may pass: bytes of files, and how many entries."""

    size: int
    entries: int = 1_000_000
    notes: list[str] = field(default_factory=list[str])

    def take(self, size: int = 0) -> None:
        """Count an entry or bytes; TreeError beyond the bound."""
        self.size -= size
        self.entries -= not size
        if self.size < 0 or self.entries < 0:
            raise TreeError(
                "there is more than may be copied at once: see --limit" if self.size < 0 else "too many files"
            )


def send(directory: int, name: bytes, write: Callable[[bytes], None], bounds: Bounds) -> None:
    """Send what has a name in a directory, and all below it; TreeError, OSError where it can't be."""
    _send(directory, name, name, write, bounds, 0)
    write(_head(END, 0, 0))


def _send(
    directory: int, name: bytes, shown: bytes, write: Callable[[bytes], None], bounds: Bounds, depth: int
) -> None:
    bounds.take()
    try:
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
        if stat.S_ISLNK(found.st_mode):
            _say(write, LINK, name, os.readlink(name, dir_fd=directory))
        elif stat.S_ISDIR(found.st_mode):
            if depth >= _DEEPEST:
                raise TreeError(f"{_text(shown)}: deeper than {_DEEPEST} directories")
            _send_directory(directory, name, shown, write, bounds, depth)
        elif stat.S_ISREG(found.st_mode):
            _send_file(directory, name, shown, write, bounds)
        else:
            _skip(write, shown, f"left out: it is {_KINDS.get(stat.S_IFMT(found.st_mode), 'no file')}")
    except FileNotFoundError:
        if not depth:
            raise
    except PermissionError as error:
        if not depth:
            raise
        _skip(write, shown, f"left out: {error.strerror}")


def _send_directory(
    directory: int, name: bytes, shown: bytes, write: Callable[[bytes], None], bounds: Bounds, depth: int
) -> None:
    below = os.open(name, _LISTED, dir_fd=directory)
    try:
        write(_head(DIRECTORY, os.fstat(below).st_mode & _MODES, len(name)) + name)
        for entry in os.listdir(below):
            own = os.fsencode(entry)
            _send(below, own, shown + b"/" + own, write, bounds, depth + 1)
        write(_head(UP, 0, 0))
    finally:
        os.close(below)


def _send_file(directory: int, name: bytes, shown: bytes, write: Callable[[bytes], None], bounds: Bounds) -> None:
    file = os.open(name, _READ, dir_fd=directory)
    try:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode):  # swapped since it was looked at
            _skip(write, shown, "left out: it is no file any more")
            return
        bounds.take(found.st_size)
        write(_head(FILE, found.st_mode & _MODES, len(name)) + name)
        left = found.st_size  # what is added meanwhile is not sent: it could go on for ever
        while left and (data := os.read(file, min(left, _CHUNK))):
            write(len(data).to_bytes(4, "little") + data)
            left -= len(data)
        write(bytes(4))
    finally:
        os.close(file)


def receive(directory: int, name: bytes, read: Callable[[int], bytes], bounds: Bounds) -> None:
    """Make what is sent, under a name in a directory; `bounds.notes` gets what was left out.

    TreeError for what the other end could not send, OSError for what can't be made here.
    """
    stack: list[tuple[int, int]] = []
    """The directories that are open, with the mode of each that was made."""
    try:
        while True:
            kind, mode, own, content = _hear(read)
            if kind == END:
                return
            if kind == PROBLEM:
                raise TreeError(_text(content))
            if kind == SKIPPED:
                bounds.notes.append(_text(content))
            elif kind == UP:
                if not stack:
                    raise _no_tree()
                _close(*stack.pop())
            else:
                bounds.take()
                place, own = (stack[-1][0], _checked(own)) if stack else (directory, name)
                _make(place, own, (kind, mode, content), read, bounds, stack)
    finally:
        for opened, _ in stack:
            os.close(opened)


def _make(
    place: int,
    name: bytes,
    what: tuple[bytes, int, bytes],
    read: Callable[[int], bytes],
    bounds: Bounds,
    stack: list[tuple[int, int]],
) -> None:
    kind, mode, content = what
    if kind == DIRECTORY:
        if len(stack) > _DEEPEST:
            raise _no_tree()
        stack.append(_make_directory(place, name, mode))
    elif kind == LINK:
        _make_link(place, name, content)
    else:
        _make_file(place, name, mode, read, bounds)


def _no_tree() -> TreeError:
    return TreeError("what was sent is no tree")


def _make_directory(directory: int, name: bytes, mode: int) -> tuple[int, int]:
    made = True
    try:
        os.mkdir(name, 0o700, dir_fd=directory)
    except FileExistsError:
        made = False
    try:
        return os.open(name, _LISTED, dir_fd=directory), mode if made else -1
    except OSError as error:
        raise TreeError(f"{_text(name)}: a link or a file is in the place of a directory: {error.strerror}") from None


def _close(directory: int, mode: int) -> None:
    try:
        if mode >= 0:
            os.fchmod(directory, mode & _MODES)
    finally:
        os.close(directory)


def _make_link(directory: int, name: bytes, target: bytes) -> None:
    temporary = _temporary()
    os.symlink(target, temporary, dir_fd=directory)
    _put(directory, temporary, name)


def _make_file(directory: int, name: bytes, mode: int, read: Callable[[int], bytes], bounds: Bounds) -> None:
    temporary = _temporary()
    file = _unnamed(directory)
    named = file < 0
    if named:
        file = os.open(temporary, _WRITE, 0o600, dir_fd=directory)
    try:
        while length := _length(read, _CHUNK):
            bounds.take(length)
            rest = memoryview(read(length))
            while rest:
                rest = rest[os.write(file, rest) :]
        os.fchmod(file, mode & _MODES)
        if not named:
            os.link(f"{_OPEN}/{file}", temporary, dst_dir_fd=directory)
    except BaseException:
        if named:
            os.unlink(temporary, dir_fd=directory)
        raise
    finally:
        os.close(file)
    _put(directory, temporary, name)


def _unnamed(directory: int) -> int:
    """Open a new file that has no name yet, so that nothing is left of it if this process is killed; -1 if it can't be.

    Not every file system has them (open(2), O_TMPFILE), and to be named they need a /proc that shows this process.
    """
    try:
        file = os.open(".", os.O_WRONLY | os.O_TMPFILE | os.O_CLOEXEC, 0o600, dir_fd=directory)
    except OSError:
        return -1
    if os.path.exists(f"{_OPEN}/{file}"):
        return file
    os.close(file)
    return -1


def _put(directory: int, temporary: bytes, name: bytes) -> None:
    try:
        os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    except OSError as error:
        os.unlink(temporary, dir_fd=directory)
        raise TreeError(f"{_text(name)}: {error.strerror}") from None


def _temporary() -> bytes:
    return f".aisbx-{os.urandom(6).hex()}.tmp".encode()


def _length(read: Callable[[int], bytes], most: int) -> int:
    length = int.from_bytes(read(4), "little")
    if length > most:
        raise _no_tree()
    return length


def _head(kind: bytes, mode: int, length: int) -> bytes:
    return kind + mode.to_bytes(4, "little") + length.to_bytes(4, "little")


def _say(write: Callable[[bytes], None], kind: bytes, name: bytes, content: bytes) -> None:
    write(_head(kind, 0, len(name)) + name + len(content).to_bytes(4, "little") + content)


def _skip(write: Callable[[bytes], None], shown: bytes, why: str) -> None:
    _say(write, SKIPPED, b"", (shown[-_LONGEST // 2 :] + b": " + why.encode())[:_LONGEST])


def problem(write: Callable[[bytes], None], text: str) -> None:
    """Send, in the place of the rest, what is wrong."""
    _say(write, PROBLEM, b"", text.encode(errors="surrogateescape")[:_LONGEST])


def _hear(read: Callable[[int], bytes]) -> tuple[bytes, int, bytes, bytes]:
    head = read(_HEAD)
    kind, mode = head[:1], int.from_bytes(head[1:5], "little")
    length = int.from_bytes(head[5:], "little")
    if length > _LONGEST:
        raise _no_tree()
    name = read(length)
    content = b""
    if kind in {LINK, SKIPPED, PROBLEM}:
        content = read(_length(read, _LONGEST))
    elif kind not in {DIRECTORY, UP, FILE, END}:
        raise _no_tree()
    return kind, mode, name, content


def _checked(name: bytes) -> bytes:
    if name in {b"", b".", b".."} or b"/" in name or b"\0" in name:
        raise TreeError("what was sent has a name that no file can have")
    return name


def _text(name: bytes) -> str:
    return name.decode(errors="surrogateescape")
