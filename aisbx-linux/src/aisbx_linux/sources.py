"""Open what is to be mounted, so that what was checked is what gets mounted. On the hot path: builtin modules only."""

import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aisbx.types import Source

STAGE = "/sys"
"""Where root lays the sources out in a private mount namespace, on a mount point that every host has and no
launch needs: source N is `STAGE/N`, and private file system N is `private_place(N)`."""
_FLAGS = posix.O_PATH | posix.O_NOFOLLOW | posix.O_CLOEXEC
_LINK = 0o120000
_FORMAT = 0o170000


class SourceError(Exception):
    """A source is gone, is a link, or is not what it was when the plan was made."""


def private_place(index: int) -> str:
    """Give where a private file system of the plan is laid out."""
    return f"{STAGE}/private-{index}"


def open_source(source: "Source") -> int:
    """Give an O_PATH descriptor of the source.

    The path was made canonical when the plan was made, so a link anywhere in it is somebody's doing since;
    the last component is refused if it is a link, and (device, inode) must be the plan's where it names them.
    """
    path = source["path"]
    try:
        descriptor = posix.open(path, _FLAGS)
    except OSError as error:
        msg = f"{path}: {error.strerror}"
        raise SourceError(msg) from None
    status = posix.fstat(descriptor)
    identity = source["identity"]
    if status.st_mode & _FORMAT == _LINK or (identity is not None and identity != (status.st_dev, status.st_ino)):
        posix.close(descriptor)
        msg = f"{path} is not what it was when the run was planned"
        raise SourceError(msg)
    return descriptor
