"""What of a layer's files was a file of the workspace: so that one which the host removed since is no new one.

When overlayfs copies a file up it notes the handle of the one below (fs/overlayfs/copy_up.c, `struct ovl_fb`). Of a
file that is below no more either the host removed it, or it was renamed inside: then the one below still is there, and
hidden. Nothing is noted of a file with several names, nor of one that was written anew and renamed into its place.
For who may not open files by handle (CAP_DAC_READ_SEARCH: an ordinary user) the handle is empty, and nothing is told.
"""

import posix

from aisbx_linux.layer.equal import OPEN_FILE
from aisbx_linux.layer.union import enter, entries, step
from aisbx_linux.protect.walk import MAX_DEPTH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

REMOVED = "it was removed on the host since"
_ORIGIN = "user.overlay.origin"
_HEADER = 21  # version, magic, length, flags, type; then 16 bytes of the file system's UUID; then its own handle
_WORD, _LOW = 4, 0xFFFFFFFF
_FORMAT, _REGULAR, _DIRECTORY = 0o170000, 0o100000, 0o040000


class Origins:
    """The files of the workspace that a layer hides, gathered when first asked for."""

    def __init__(self, layers: "Sequence[int]", workspace: int, replaced: set[int]) -> None:
        """`layers`, the uppermost first, and `workspace` are open directories, and stay open.

        `replaced` are the inodes of files that were replaced or removed by what was applied; it may grow.
        """
        self._layers = layers
        self._workspace = workspace
        self._replaced = replaced
        self._hidden: set[int] | None = None

    def gone(self, uppers: "Sequence[tuple[int, int]]", name: str, lower: int, since: int) -> bool:
        """Tell whether `name`, which is below no more, was a file there that the host removed.

        `uppers` are (index of the layer, open directory) as in a walk, `lower` the directory below, or -1. False where
        it can't be told.
        """
        if lower >= 0 and posix.fstat(lower).st_ctime_ns <= since:
            return False  # nothing was removed there
        words = next(filter(None, (_origin(upper, name) for _, upper in reversed(uppers))), ())
        if not words or any(inode & _LOW in words for inode in self._replaced):
            return False
        if self._hidden is None:
            self._hidden = set[int]()
            for layer in self._layers[1:]:
                _all(posix.dup(layer), self._hidden)
            _covered([posix.dup(layer) for layer in self._layers], posix.dup(self._workspace), self._hidden)
        return self._hidden.isdisjoint(words)


def _origin(directory: int, name: str) -> tuple[int, ...]:
    """Give the words of the handle that a file was copied up from; one of them is its inode's number (its low part)."""
    try:
        opened = posix.open(name, OPEN_FILE, dir_fd=directory)
    except OSError:
        return ()
    try:
        handle = posix.getxattr(opened, _ORIGIN)[_HEADER:]
    except OSError:
        return ()
    finally:
        posix.close(opened)
    return tuple(int.from_bytes(handle[at : at + _WORD], "little") for at in range(0, len(handle), _WORD))


def _covered(uppers: list[int], lower: int, found: set[int], depth: int = 0) -> None:
    """Gather the files below of which a layer has the name, or hides the directory; closes all."""
    try:
        above = entries(uppers)
        for name, entry in above.items():
            was = _look(lower, name)
            if was is None:
                continue
            if was.st_mode & _FORMAT != _DIRECTORY:
                found.add(was.st_ino & _LOW)
                continue
            opened, hides = enter(uppers, name) if entry.now.st_mode & _FORMAT == _DIRECTORY else ([], True)
            inner = [directory for _, directory in opened]
            under = step(lower, name) if depth < MAX_DEPTH else -1
            if under < 0:
                _close(inner)
            elif hides:
                _close(inner)
                _all(under, found, depth + 1)
            else:
                _covered(inner, under, found, depth + 1)
    finally:
        _close([*uppers, lower])


def _all(directory: int, found: set[int], depth: int = 0) -> None:
    """Gather all files in a directory; closes it."""
    try:
        for name in posix.listdir(directory):
            status = _look(directory, name)
            if status is None:
                continue
            if status.st_mode & _FORMAT != _DIRECTORY:
                found.add(status.st_ino & _LOW)
            elif depth < MAX_DEPTH and (inner := step(directory, name)) >= 0:
                _all(inner, found, depth + 1)
    finally:
        posix.close(directory)


def _look(directory: int, name: str) -> posix.stat_result | None:
    try:
        return posix.lstat(name, dir_fd=directory)
    except OSError:
        return None


def _close(directories: "Sequence[int]") -> None:
    for directory in directories:
        posix.close(directory)
