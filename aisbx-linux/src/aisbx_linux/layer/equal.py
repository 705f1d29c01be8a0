"""Whether two regular files hold the same, read by descriptor and without following links. Builtin modules only."""

import errno
import posix

MARKS = "user.overlay."
"""How the names of attributes begin that the kernel marks a layer's entries with."""
MOST_ATTRIBUTES = 64
OPEN_FILE = posix.O_RDONLY | posix.O_NONBLOCK | posix.O_NOFOLLOW | posix.O_CLOEXEC | posix.O_NOCTTY
_CHUNK = 1 << 20


def equal(upper: int, lower: int, name: str) -> bool:
    """Compare the files called `name` in two open directories, attributes too; OSError where one can't be read."""
    first = posix.open(name, OPEN_FILE, dir_fd=upper)
    try:
        second = posix.open(name, OPEN_FILE, dir_fd=lower)
        try:
            if attributes(first) != attributes(second):
                return False
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


def attributes(opened: int) -> "dict[str, bytes]":
    """Give a user's attributes of something open, without those that mark a layer; OSError where those are too many."""
    try:
        names = posix.listxattr(opened)
    except OSError as error:
        if error.errno == errno.EOPNOTSUPP:
            return {}  # its file system has none
        raise
    own = [name for name in names if name.startswith("user.") and not name.startswith(MARKS)]
    if len(own) > MOST_ATTRIBUTES:
        raise OSError(errno.E2BIG, f"it has more than {MOST_ATTRIBUTES} attributes")
    return {name: posix.getxattr(opened, name) for name in own}
