"""Whether a sandbox is paused: a file in its private directory, and a lock. On the hot path: builtin modules only.

A command joins under a shared lock on that file, so that one who pauses, under an exclusive one, has all of them before
him or none. The file is empty while nothing is paused.
"""

import posix

_FILE = "paused"
_FLAGS = posix.O_RDWR | posix.O_CREAT | posix.O_NOFOLLOW | posix.O_CLOEXEC
WORKING = "working"
"""In a sandbox's home: who works on its files has it under a shared lock."""
COPYING = "copying"
"""In a sandbox's home: who has it paused only to copy its layer has this under a lock; the file of the pause begins so.
"""
PAUSED = "the sandbox is paused"


def share(home: str) -> int:
    """Give a descriptor that keeps the sandbox as it is until it is closed; OSError where it is paused.

    A pause for a copy of its layer is waited for.
    """
    import fcntl

    while True:
        try:
            descriptor = posix.open(f"{home}/{_FILE}", _FLAGS, 0o600)
        except FileNotFoundError:  # with its directory
            raise OSError("the sandbox has ended") from None
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        if posix.fstat(descriptor).st_size:
            posix.close(descriptor)
            from aisbx_linux.lasting.copying import over

            if over(home, wait=True):
                continue
            raise OSError(PAUSED)
        if not changing(home):
            return descriptor
        posix.close(descriptor)
        from aisbx_linux.layer.ask import ask  # it was cut off: who had begun it is gone with its lock

        ask("recover", home)


def hold_still(home: str) -> int:
    """Give a descriptor that keeps a sandbox's layer from being exchanged until it is closed.

    A pause does not wait for it. OSError where an exchange was cut off.
    """
    import fcntl

    descriptor = posix.open(f"{home}/{WORKING}", _FLAGS, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    if changing(home):
        posix.close(descriptor)
        raise OSError("what was begun with its workspace was cut off: try again")
    return descriptor


def changing(home: str) -> bool:
    """Tell whether the sandbox's layer is being exchanged, or that was cut off; see `aisbx_linux.layer.stack`."""
    try:
        posix.stat(f"{home}/changing")
    except FileNotFoundError:
        return False
    return True


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
