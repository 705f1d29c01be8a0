"""Work on a sandbox's files from inside its mounts: started as a file, with a job on stdin (see `files.py`).

It joins the sandbox's user and mount namespaces, as the sandbox's user and without any capability, and no other:
nothing inside sees it or can signal it, and /proc inside has no `self` for it. Its root is the sandbox's, so no link
leads out of it; what a path leads through may not be a magic link either (openat2(2), RESOLVE_NO_MAGICLINKS), for those
lead to what other processes have open.
"""

import ctypes
import marshal
import os
import posix
import select
import stat
import struct
import sys
from collections.abc import Callable
from typing import Any

if __name__ == "__main__":  # started as a file, without site: find the package that this file is in
    sys.path.insert(0, __file__.rpartition("/")[0].rpartition("/")[0].rpartition("/")[0])

from aisbx_linux import syscalls
from aisbx_linux.lasting import trees
from aisbx_linux.lasting.happenings import happenings
from aisbx_linux.lasting.identity import NAMESPACES, differing, open_process, recall
from aisbx_linux.lasting.join import enter_group
from aisbx_linux.lasting.pause import hold_still
from aisbx_linux.processes import leave

_LIBRARY = ctypes.CDLL(None, use_errno=True)
_OPENAT2 = 437
_IN_ROOT, _NO_MAGICLINKS = 0x10, 0x02
_DUMPABLE = 4
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_ENDS = select.epoll()
"""With pidfds of the program that asked, and of the sandbox's first process."""
_MOST_NAMES = 100_000
_DEEPEST = 200


def _join(home: str, *, attended: bool) -> int:
    """Enter, and keep nothing that the sandbox has not but what holds its layer; OSError where it can't be.

    `attended`: the thread that started this process waits for it, and this ends with that.
    """
    held = recall(home)
    if held is None:
        raise OSError("the sandbox has ended")
    working = hold_still(home)
    try:
        process = open_process(held["first"])
    except ProcessLookupError:
        raise OSError("the sandbox has ended") from None
    wanted = differing(held["first"][0]) & (NAMESPACES["user"] | NAMESPACES["mnt"])
    if attended:
        syscalls.die_with_parent()
    syscalls.call("prctl", _DUMPABLE, 0, 0, 0, 0)
    for group in held["groups"]:  # what is written into memory counts as the sandbox's
        enter_group(group)
    if posix.geteuid() == 0:
        posix.setgroups([])
    if syscalls.call("setns", process, wanted) != 0:
        raise OSError("joining the sandbox's namespaces was refused")
    uid, gid = held["who"]
    posix.setresgid(gid, gid, gid)
    posix.setresuid(uid, uid, uid)
    syscalls.give_up()
    syscalls.call("prctl", _DUMPABLE, 0, 0, 0, 0)
    if attended:
        syscalls.die_with_parent()
    _ENDS.register(process, select.EPOLLIN)
    posix.chdir("/")
    sys.meta_path.clear()  # what were imported from now on would be the sandbox's
    return working


def _go_on() -> None:
    """End this process if the sandbox has ended, or the program that asked."""
    if _ENDS.poll(0):
        leave(1)


def _open(path: str, flags: int) -> int:
    """Open below the root, through links that stay in it."""
    how = struct.pack("QQQ", flags, 0, _IN_ROOT | _NO_MAGICLINKS)
    root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        while True:
            opened = _LIBRARY.syscall(_OPENAT2, root, os.fsencode(path) + b"\0", how, len(how))
            if opened >= 0:
                return opened
            number = ctypes.get_errno()
            if number != 11:  # noqa: PLR2004 - EAGAIN: something was renamed meanwhile
                raise OSError(number, os.strerror(number), path)
    finally:
        os.close(root)


def _parent(path: str) -> tuple[int, bytes]:
    """Give the directory of a path, open, and the name in it; OSError where it has none."""
    above, _, name = path.rstrip("/").rpartition("/")
    if name in {"", ".", ".."}:
        raise OSError(f"{path}: it has no name of its own")
    return _open(above or "/", _DIRECTORY), os.fsencode(name)


def _read(path: str, limit: int, offset: int) -> bytes:
    file = _open(path, _FILE)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        raise OSError(f"{path}: it is no file")
    os.lseek(file, offset, os.SEEK_SET)
    data = b""
    while len(data) < limit and (part := os.read(file, min(limit - len(data), 1 << 20))):
        data += part
    return data


def _write(path: str, data: bytes, mode: int) -> None:
    directory, name = _parent(path)
    stream = data

    def read(count: int) -> bytes:
        nonlocal stream
        part, stream = stream[:count], stream[count:]
        return part

    parts = (data[start : start + (1 << 16)] for start in range(0, len(data), 1 << 16))
    stream = trees.FILE + mode.to_bytes(4, "little") + bytes(4)
    stream += b"".join(len(part).to_bytes(4, "little") + part for part in parts) + bytes(4)
    stream += trees.END + bytes(8)
    try:
        trees.receive(directory, name, read, trees.Bounds(len(data)))
    except OSError as error:  # of the file beside it that was to take its place
        raise OSError(error.errno, error.strerror, path) from error


def _list(path: str) -> list[tuple[str, str, int, int, float]]:
    directory = _open(path, _DIRECTORY)
    rows: list[tuple[str, str, int, int, float]] = []
    with os.scandir(directory) as entries:
        for entry in entries:
            if len(rows) >= _MOST_NAMES:
                raise OSError(f"{path}: it has more than {_MOST_NAMES} entries")
            try:
                rows.append(_row(entry.name, entry.stat(follow_symlinks=False)))
            except FileNotFoundError:
                continue
    return sorted(rows)


def _stat(path: str) -> tuple[str, str, int, int, float]:
    if not path.strip("/"):
        return _row("/", os.stat("/"))
    directory, name = _parent(path)
    return _row(os.fsdecode(name), os.stat(name, dir_fd=directory, follow_symlinks=False))


def _row(name: str, found: os.stat_result) -> tuple[str, str, int, int, float]:
    kinds = ((stat.S_ISREG, "file"), (stat.S_ISDIR, "directory"), (stat.S_ISLNK, "link"))
    kind = next((word for test, word in kinds if test(found.st_mode)), "other")
    return name, kind, stat.S_IMODE(found.st_mode), found.st_size, found.st_mtime


def _mkdir(path: str, parents: bool) -> None:  # noqa: FBT001 - as the job has it
    if parents and not path.strip("/"):
        return
    try:
        directory, name = _parent(path)
    except FileNotFoundError:
        if not parents:
            raise
        _mkdir(path.rstrip("/").rpartition("/")[0], parents)
        directory, name = _parent(path)
    try:
        os.mkdir(name, 0o755, dir_fd=directory)
    except FileExistsError:
        if not parents or not stat.S_ISDIR(os.fstat(_open(path, _DIRECTORY)).st_mode):
            raise
    finally:
        os.close(directory)


def _remove(path: str, recursive: bool) -> None:  # noqa: FBT001 - as the job has it
    _unlink(*_parent(path), _DEEPEST if recursive else 0)


def _unlink(directory: int, name: bytes, deep: int) -> None:
    """Remove what has a name in a directory, and so many directories deep what is in it."""
    if not stat.S_ISDIR(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
        os.unlink(name, dir_fd=directory)
        return
    if deep:
        below = os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)
        try:
            for entry in os.listdir(below):
                _unlink(below, os.fsencode(entry), deep - 1)
        finally:
            os.close(below)
    os.rmdir(name, dir_fd=directory)


def _pull(path: str, limit: int) -> None:
    directory, name = _parent(path)
    trees.send(directory, name, _put, trees.Bounds(limit))


def _push(path: str, name: str, limit: int) -> list[str]:
    bounds = trees.Bounds(limit)
    try:
        directory, own = _open(path, _DIRECTORY), os.fsencode(name)
    except (FileNotFoundError, NotADirectoryError):
        if path.endswith("/"):
            raise
        directory, own = _parent(path)
    with open(0, "rb", closefd=False) as stream:

        def read(count: int) -> bytes:
            _go_on()
            data = stream.read(count)
            if len(data) < count:
                raise OSError("what was to be copied ended too early")
            return data

        trees.receive(directory, own, read, bounds)
    return bounds.notes


def _watch(path: str) -> None:
    """Tell what happens in a directory, one thing after the other, until nobody listens."""
    seen = happenings(_open(path, _DIRECTORY), _ENDS.fileno())
    next(seen)
    _put(_told((None,)))
    for event in seen:
        _put(_told(event))


def _put(data: bytes) -> None:
    _go_on()
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(1, rest) :]


def _told(value: object) -> bytes:
    data = marshal.dumps(value)  # pyright: ignore[reportArgumentType]  (plain data)
    return len(data).to_bytes(4, "little") + data


_WORKS: dict[str, Callable[..., Any]] = {
    "read": _read,
    "write": _write,
    "list": _list,
    "stat": _stat,
    "mkdir": _mkdir,
    "remove": _remove,
    "push": _push,
    "pull": _pull,
    "watch": _watch,
}


def main() -> None:
    """Read a job, do it, and write what came of it: the answer, or what is wrong as text."""
    _ENDS.register(posix.pidfd_open(posix.getppid()), select.EPOLLIN)
    head = os.read(0, 4)
    with open(0, "rb", closefd=False, buffering=0) as stream:
        job = b""
        while len(job) < int.from_bytes(head, "little"):
            job += stream.read(int.from_bytes(head, "little") - len(job)) or b"\0"
    home, work, arguments = marshal.loads(job)  # noqa: S302 - from the process that started this one
    streams = work in {"pull", "watch"}
    try:
        working = _join(home, attended=work != "watch")
        if work == "watch":  # for as long as somebody likes: it ends when the layer is exchanged
            os.close(working)
        answer = _WORKS[work](*arguments)
    except (OSError, trees.TreeError) as error:
        text = str(error)
        if isinstance(error, OSError) and error.errno:
            text = f"{_shown(error.filename)}{error.strerror}"
        if streams and work == "pull":
            trees.problem(_put, text)
        else:
            _put(_told(text))
        return
    if not streams:
        _put(_told((answer,)))


def _shown(name: object) -> str:
    return f"{os.fsdecode(name)}: " if isinstance(name, (str, bytes)) else ""


if __name__ == "__main__":
    main()
