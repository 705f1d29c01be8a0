"""Whether two regular files hold the same, read by descriptor and without following links. Builtin modules only."""

import posix

OPEN_FILE = posix.O_RDONLY | posix.O_NONBLOCK | posix.O_NOFOLLOW | posix.O_CLOEXEC | posix.O_NOCTTY
_CHUNK = 1 << 20


def equal(upper: int, lower: int, name: str) -> bool:
    """Compare the files called `name` in two open directories; OSError where one can't be read."""
    first = posix.open(name, OPEN_FILE, dir_fd=upper)
    try:
        second = posix.open(name, OPEN_FILE, dir_fd=lower)
        try:
            while True:
                one, other = posix.read(first, _CHUNK), posix.read(second, _CHUNK)
                if one != other:
                    return False  # also where reading stops at different places: that is safe
                if not one:
                    return True
        finally:
            posix.close(second)
    finally:
        posix.close(first)
