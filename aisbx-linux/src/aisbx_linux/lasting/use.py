"""When a sandbox was last used: a file in its private directory, where it ends by itself when nobody uses it.

Who runs a command or works on files holds a shared lock on it meanwhile, and writes the time when it begins and ends:
CLOCK_MONOTONIC (clock_gettime(2)), which nobody sets, and which stands still while the machine sleeps.
Builtin modules only; on the way to a command it is only imported where somebody counts.
"""

import posix
import time

_FILE = "used"
_FLAGS = posix.O_RDWR | posix.O_NOFOLLOW | posix.O_CLOEXEC
_LENGTH = 8


def track(home: str, age: float = 0.0) -> None:
    """Begin to count, where that has not been done yet, for a sandbox that is `age` seconds old. OSError if not."""
    try:
        descriptor = posix.open(f"{home}/{_FILE}", _FLAGS | posix.O_CREAT | posix.O_EXCL, 0o600)
    except FileExistsError:
        return
    try:
        begun = max(0, time.monotonic_ns() - int(age * 1e9))
        posix.write(descriptor, _now() + begun.to_bytes(_LENGTH, "little"))
    finally:
        posix.close(descriptor)


def begin(home: str) -> int:
    """Use it from now on, until `end` gets what this gives; -1 where nobody counts. OSError where it can't be noted."""
    try:
        descriptor = posix.open(f"{home}/{_FILE}", _FLAGS)
    except FileNotFoundError:
        return -1
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        posix.pwrite(descriptor, _now(), 0)
    except BaseException:
        posix.close(descriptor)
        raise
    return descriptor


def end(descriptor: int) -> None:
    """Use it no longer."""
    if descriptor < 0:
        return
    try:  # noqa: SIM105 - contextlib is one import more
        posix.pwrite(descriptor, _now(), 0)
    except OSError:
        pass  # the lock has been seen: it counts from the last look
    posix.close(descriptor)


def times(home: str) -> tuple[float, float]:
    """Give when it was last used and when it began, in seconds of time.monotonic, none of them in the future."""
    descriptor = posix.open(f"{home}/{_FILE}", _FLAGS)
    try:
        data = posix.pread(descriptor, 2 * _LENGTH, 0)
    finally:
        posix.close(descriptor)
    now = time.monotonic()
    used, begun = (int.from_bytes(data[start : start + _LENGTH], "little") / 1e9 for start in (0, _LENGTH))
    return min(used, now), min(begun, now)


def claim(home: str) -> int:
    """Keep others from using it, as long as what this gives is open; -1 where somebody does."""
    import fcntl

    descriptor = posix.open(f"{home}/{_FILE}", _FLAGS)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        posix.close(descriptor)
        return -1
    return descriptor


def _now() -> bytes:
    return time.monotonic_ns().to_bytes(_LENGTH, "little")
