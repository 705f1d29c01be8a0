"""One directory as the layers over a workspace show it: of each name the uppermost layer that has it decides.

Given as the open directories of the layers that have it, the uppermost first. As the kernel does it
(Documentation/filesystems/overlayfs.rst): a directory is merged with those below it until one is opaque, or one of the
layers has the name for something else.
"""

import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_OPEN_DIRECTORY = posix.O_RDONLY | posix.O_DIRECTORY | posix.O_NOFOLLOW | posix.O_CLOEXEC
_OPAQUE = "user.overlay.opaque"
_FORMAT, _DIRECTORY = 0o170000, 0o040000


class Entry:
    """A name in it: the index of the layer that decides, and what it is there."""

    __slots__ = ("layer", "now")

    def __init__(self, layer: int, now: posix.stat_result) -> None:
        """Keep both."""
        self.layer = layer
        self.now = now


def entries(directories: "Sequence[int]") -> "dict[str, Entry]":
    """Give all names in a directory, marks of what is gone among them."""
    found: dict[str, Entry] = {}
    for index, directory in enumerate(directories):
        for name in posix.listdir(directory):
            if name not in found:
                found[name] = Entry(index, posix.lstat(name, dir_fd=directory))
    return found


def step(above: int, name: str) -> int:
    """Open a directory; -1 where it can't be read, or is one no more."""
    try:
        return posix.open(name, _OPEN_DIRECTORY, dir_fd=above)
    except OSError:
        return -1


def enter(directories: "Sequence[int]", name: str) -> "tuple[list[tuple[int, int]], bool]":
    """Open a directory in it: (index, directory) of the layers that have it, and whether it hides the workspace's.

    Nothing is opened where it can't be read, or is one no more.
    """
    opened: list[tuple[int, int]] = []
    hides = False
    try:
        for index, directory in enumerate(directories):
            kind = _kind(directory, name)
            if not kind:
                continue
            if kind != _DIRECTORY:
                hides = bool(opened)
                break
            opened.append((index, posix.open(name, _OPEN_DIRECTORY, dir_fd=directory)))
            if _opaque(opened[-1][1]):
                hides = True
                break
    except OSError:
        for _, directory in opened:
            posix.close(directory)
        return [], False
    return opened, hides


def listed(directories: "Sequence[int]", path: str) -> list[str]:
    """Give the names in a directory at a path below; none where there is none."""
    held = [posix.dup(directory) for directory in directories]
    for name in path.split("/") if path else ():
        opened, _ = enter(held, name)
        for directory in held:
            posix.close(directory)
        held = [directory for _, directory in opened]
    try:
        return [name for directory in held for name in posix.listdir(directory)]
    finally:
        for directory in held:
            posix.close(directory)


def _kind(directory: int, name: str) -> int:
    """Give the kind of an entry; 0 where there is none."""
    try:
        return posix.lstat(name, dir_fd=directory).st_mode & _FORMAT
    except FileNotFoundError:
        return 0


def _opaque(directory: int) -> bool:
    try:
        return posix.getxattr(directory, _OPAQUE)[:1] in {b"x", b"y"}
    except OSError:
        return False
