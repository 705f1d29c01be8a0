"""Whether a sandbox is paused: a file in its private directory, and a lock. On the hot path: builtin modules only.

A command joins under a shared lock on that file, so that one who pauses, under an exclusive one, has all of them before
him or none. The file is empty while nothing is paused.
"""

import posix

_FILE = "paused"
_FLAGS = posix.O_RDWR | posix.O_CREAT | posix.O_NOFOLLOW | posix.O_CLOEXEC
PAUSED = "the sandbox is paused"


def share(home: str) -> int:
    """Give a descriptor that keeps the sandbox from being paused until it is closed; OSError where it is paused."""
    import fcntl

    descriptor = posix.open(f"{home}/{_FILE}", _FLAGS, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    if posix.fstat(descriptor).st_size:
        posix.close(descriptor)
        raise OSError(PAUSED)
    return descriptor


def hold(home: str) -> int:
    """Give a descriptor of the file, alone with it until it is closed."""
    import fcntl

    descriptor = posix.open(f"{home}/{_FILE}", _FLAGS, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def paused(home: str) -> bool:
    """Tell whether a sandbox is paused."""
    try:
        return posix.stat(f"{home}/{_FILE}").st_size > 0
    except FileNotFoundError:
        return False
