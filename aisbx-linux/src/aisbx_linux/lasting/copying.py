"""A sandbox that stands still only while its layer is copied: who finds the one that copied it killed lets it go on.

Builtin modules only.
"""

import fcntl
import posix

from aisbx_linux.lasting.identity import recall, send_to, started
from aisbx_linux.lasting.pause import COPYING, hold

_CONTINUE = 18
_FREEZE = "cgroup.freeze"


def begin(home: str) -> int:
    """Give what is to be closed when the sandbox goes on again; waits for another who copies."""
    descriptor = posix.open(
        f"{home}/{COPYING}", posix.O_RDWR | posix.O_CREAT | posix.O_NOFOLLOW | posix.O_CLOEXEC, 0o600
    )
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def note(group: str) -> bytes:
    """Give how the file of such a pause begins; `group` is the frozen cgroup, "" where each process was stopped."""
    return f"{COPYING} {group}\n".encode(errors="surrogateescape")


def over(home: str, *, wait: bool) -> bool:
    """Tell whether a paused sandbox goes on after all: nobody copies it any more. False for any other pause.

    `wait` for who copies, else it is paused until then.
    """
    if not _for_a_copy(home):
        return False
    descriptor = posix.open(
        f"{home}/{COPYING}", posix.O_RDWR | posix.O_CREAT | posix.O_NOFOLLOW | posix.O_CLOEXEC, 0o600
    )
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        return _go_on(home)
    except BlockingIOError:
        return False
    finally:
        posix.close(descriptor)


def _for_a_copy(home: str) -> bool:
    descriptor = posix.open(f"{home}/paused", posix.O_RDONLY | posix.O_NOFOLLOW | posix.O_CLOEXEC)
    try:
        return posix.pread(descriptor, len(COPYING), 0) in {b"", COPYING.encode()}
    finally:
        posix.close(descriptor)


def _go_on(home: str) -> bool:
    """Let all go on that were stopped; False where it is paused by now for another reason."""
    paused = hold(home)
    try:
        lines = posix.pread(paused, posix.fstat(paused).st_size, 0).split(b"\n")
        word, _, group = lines[0].partition(b" ")
        if word != COPYING.encode():
            return not word
        if group:
            _thaw(group)
        else:
            for born in _stopped(lines[1:]) or _all(home):
                send_to(born, _CONTINUE)
        posix.ftruncate(paused, 0)
        return True
    finally:
        posix.close(paused)


def _thaw(group: bytes) -> None:
    try:
        descriptor = posix.open(group + b"/" + _FREEZE.encode(), posix.O_WRONLY | posix.O_CLOEXEC)
    except FileNotFoundError:
        return  # it has ended
    try:
        posix.write(descriptor, b"0")
    finally:
        posix.close(descriptor)


def _stopped(lines: list[bytes]) -> list[tuple[int, int]]:
    rows = [line.split() for line in lines]
    return [(int(row[0]), int(row[1])) for row in rows if len(row) == len(("pid", "born"))]


def _all(home: str) -> list[tuple[int, int]]:
    """Give every process that counts in a sandbox's namespace: who stopped them was killed before it could note which.

    That may be one that had stopped by itself.
    """
    held = recall(home)
    found: list[tuple[int, int]] = []
    try:
        namespace = posix.readlink(f"/proc/{held['first'][0]}/ns/pid") if held is not None else ""
    except OSError:
        return found  # it has ended
    for name in posix.listdir("/proc"):
        try:
            if name.isdigit() and posix.readlink(f"/proc/{name}/ns/pid") == namespace:
                found.append((int(name), started(int(name))))
        except OSError:
            continue  # it has ended, or is somebody else's
    return found
