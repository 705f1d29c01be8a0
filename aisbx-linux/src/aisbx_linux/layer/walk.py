"""Find what differs between a layer and the workspace below it. Both are gone through by descriptor, without links.

What is read was written by a sandbox: names, depth, sizes and kinds are whatever it liked. So no more is in memory than
the names of the directories on the way, nothing but regular files is opened, and of those no more than `COMPARED` is
read to see whether they are the same.
"""

import posix

from aisbx_linux.layer.equal import equal
from aisbx_linux.layer.marks import Place
from aisbx_linux.layer.origin import REMOVED, Origins
from aisbx_linux.layer.union import Entry, enter, entries, step
from aisbx_linux.protect.look import TREE
from aisbx_linux.protect.walk import MAX_DEPTH, MAX_PATH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Stamp = tuple[int, ...]
    """(inode, ctime in ns) of something in the workspace, then of what it was made from, in the layer."""

ADDED, MODIFIED, DELETED = "added", "modified", "deleted"
FILE, DIRECTORY, LINK, FIFO, SOCKET, DEVICE, UNREAD = "file", "directory", "link", "fifo", "socket", "device", "unread"
_KINDS = {0o100000: FILE, 0o040000: DIRECTORY, 0o120000: LINK, 0o010000: FIFO, 0o140000: SOCKET}
_FORMAT, _PERMISSIONS, _SET_ID, _CHARACTER = 0o170000, 0o7777, 0o6000, 0o020000
COMPARED = 64 << 20
"""Bytes of a file read to see that it has not changed; a larger one counts as changed unless it was applied."""
_MOVED = "a directory on the way to it was moved on the host since"
_CHANGED = "it was changed on the host since"


class Difference:
    """One path that is another in the layer than in the workspace."""

    __slots__ = ("action", "conflict", "held", "layer", "name", "now", "path", "protected", "was")

    def __init__(
        self,
        path: str,
        action: str,
        was: "posix.stat_result | None",
        now: "posix.stat_result | None",
    ) -> None:
        """`was` is in the workspace, `now` in the layer."""
        self.path = path
        self.action = action
        self.was = was
        self.now = now
        self.layer = 0
        """Index of the layer that it is in, the uppermost first."""
        self.protected = ""
        """Why the host would execute it."""
        self.held = ""
        """The outermost path on the way to it that is protected."""
        self.conflict = ""
        """Why it cannot be applied without losing what was done on the host."""

    @property
    def kind(self) -> str:
        """What it is now; where it was deleted, what it was."""
        return kind_of(self.now or self.was)


def kind_of(status: "posix.stat_result | None") -> str:
    """Give the kind of an entry; `unread` for a directory that could not be gone through."""
    return UNREAD if status is None else _KINDS.get(status.st_mode & _FORMAT, DEVICE)


class Walk:
    """One pass over a layer."""

    def __init__(
        self,
        layers: "Sequence[int]",
        workspace: int,
        path: str,
        since: int,
        applied: "dict[str, Stamp]",
        replaced: "set[int]",
        *,
        another: bool,
        half_made: "Callable[[str, posix.stat_result, posix.stat_result], bool]",
    ) -> None:
        """`layers`, the uppermost first, and `workspace` are open directories, `path` that of the workspace.

        `since` is as of `place.since`, `applied` what we did there ourselves, `replaced` the inodes that went by it;
        `another` says that the workspace is not the directory that it was, `half_made` is as of the journal.
        """
        self._half_made = half_made
        self._moved = _MOVED if another else ""
        self._roots = (tuple(layers), workspace, path)
        self._layers = layers
        self._workspace = workspace
        self._since = since
        self._applied = applied
        self._origins = Origins(layers, workspace, replaced)

    def differences(self) -> "Iterator[Difference]":
        """Give each difference: a directory before what was added in it, and after what was deleted in it."""
        uppers = [(index, posix.dup(layer)) for index, layer in enumerate(self._layers)]
        yield from self._pair(uppers, posix.dup(self._workspace), Place("", TREE), "", self._moved, covers=False)

    def _pair(
        self, uppers: "list[tuple[int, int]]", lower: int, place: Place, held: str, moved: str, *, covers: bool
    ) -> "Iterator[Difference]":
        """Go through a directory of the layers and, where `lower` is not -1, its like below; closes all.

        `uppers` are (index of the layer, open directory), the uppermost first.
        """
        try:
            found = entries([upper for _, upper in uppers])
            beneath = posix.listdir(lower) if lower >= 0 else []
            place.hears({*found, *beneath})
            for name in sorted(found):
                yield from self._entry(uppers, lower, place, name, found[name], held, moved)
            if covers:
                for name in sorted(set(beneath) - set(found)):
                    yield from self._gone(lower, place, name, held, moved)
        finally:
            for _, upper in uppers:
                posix.close(upper)
            if lower >= 0:
                posix.close(lower)

    def _entry(
        self,
        uppers: "list[tuple[int, int]]",
        lower: int,
        place: Place,
        name: str,
        entry: Entry,
        held: str,
        moved: str,
    ) -> "Iterator[Difference]":
        now, layer = entry.now, uppers[entry.layer][0]
        if now.st_mode & _FORMAT == _CHARACTER and now.st_rdev == 0:
            yield from self._gone(lower, place, name, held, moved)
            return
        was = _look(lower, name)
        if kind_of(now) != DIRECTORY:
            yield from self._leaf(uppers, lower, place, name, entry, was, held, moved)
            return
        if was is not None and kind_of(was) != DIRECTORY:
            yield self._told(place, name, DELETED, was, None, held, moved)
            was = None
        told = self._told(place, name, ADDED if was is None else MODIFIED, was, now, held, moved)
        told.layer = layer
        if was is None or (was.st_mode ^ now.st_mode) & _PERMISSIONS:
            if (
                was is not None
                and not moved
                and self._touched(told.path, was)
                and not self._half_made(told.path, was, now)
            ):
                told.conflict = _CHANGED  # perhaps by entries only, but whose mode it is nobody knows
            yield told
        inner = place.below(name, told.protected)
        deep = inner.path.count("/") >= MAX_DEPTH or len(inner.path) > MAX_PATH
        opened, hides = ([], False) if deep else enter([upper for _, upper in uppers], name)
        if not opened:
            yield self._unread(told)
            return
        opaque = was is not None and hides
        inside = [(uppers[index][0], directory) for index, directory in opened]
        under = step(lower, name) if was is not None else -1
        if was is not None and under < 0:
            for _, directory in inside:
                posix.close(directory)
            yield self._unread(told)
            return
        moved = moved or (_MOVED if was is not None and self._was_moved(inner.path, was) else "")
        yield from self._pair(inside, under, inner, told.held, moved, covers=opaque)

    def _leaf(
        self,
        uppers: "list[tuple[int, int]]",
        lower: int,
        place: Place,
        name: str,
        entry: Entry,
        was: "posix.stat_result | None",
        held: str,
        moved: str,
    ) -> "Iterator[Difference]":
        """Tell of what is no directory in the layer; `was` is in the workspace."""
        now, upper = entry.now, uppers[entry.layer][1]
        absent = was is None
        if kind_of(was) == DIRECTORY:
            yield from self._gone(lower, place, name, held, moved)
            was = None
        if was is None or not (self._as_applied(place, name, was, now) or _same(upper, lower, name, was, now)):
            told = self._told(place, name, ADDED if was is None else MODIFIED, was, now, held, moved)
            told.layer = uppers[entry.layer][0]
            if absent and not moved and self._removed(told, uppers, lower, name):
                told.conflict = REMOVED
            self._excuse(told, upper, lower, place)
            yield told

    def _excuse(self, told: Difference, upper: int, lower: int, place: Place) -> None:
        """Take back that a file is protected, if it is as git itself writes it and makes nothing run."""
        name = told.path.rpartition("/")[2]
        if told.protected and place.gits_own(name):
            from aisbx_linux.layer.git import harmless  # few changes are any of git's configuration

            if harmless(upper, lower, place.path, name, self._roots):
                told.protected = told.held = ""

    def _gone(self, lower: int, place: Place, name: str, held: str, moved: str) -> "Iterator[Difference]":
        """Tell of what is in the workspace, and was removed inside."""
        was = _look(lower, name)
        if was is None:
            return
        told = self._told(place, name, DELETED, was, None, held, moved)
        if kind_of(was) == DIRECTORY:
            inner = place.below(name, told.protected)
            if not moved and self._was_moved(inner.path, was):
                told.conflict = moved = _MOVED
            under = step(lower, name) if inner.path.count("/") < MAX_DEPTH else -1
            if under < 0:
                yield self._unread(told)
                return
            try:
                names = sorted(posix.listdir(under))
                inner.hears(names)
                for below in names:
                    yield from self._gone(under, inner, below, told.held, moved)
            finally:
                posix.close(under)
        yield told

    def _told(
        self,
        place: Place,
        name: str,
        action: str,
        was: "posix.stat_result | None",
        now: "posix.stat_result | None",
        held: str,
        moved: str,
    ) -> Difference:
        path = f"{place.path}/{name}" if place.path else name
        told = Difference(path, action, was, now)
        kind = told.kind
        told.protected = place.mark(name, directory=kind == DIRECTORY, link=kind == LINK)
        told.held = held or (path if told.protected else "")
        told.conflict = moved
        if not moved and was is not None and kind_of(was) != DIRECTORY and self._touched(path, was):
            told.conflict = _CHANGED
        return told

    def _unread(self, told: Difference) -> Difference:
        unread = Difference(told.path, MODIFIED, None, None)
        unread.protected, unread.held, unread.conflict = told.protected, told.held, "it is too deep, or can't be read"
        return unread

    def _removed(self, told: Difference, uppers: "list[tuple[int, int]]", lower: int, name: str) -> bool:
        """Tell whether what is below no more was there when the sandbox began, or was applied."""
        if told.path in self._applied:
            return True
        return told.kind == FILE and self._origins.gone(uppers, name, lower, self._since)

    def _touched(self, path: str, was: "posix.stat_result") -> bool:
        return was.st_ctime_ns > self._since and self._applied.get(path, ())[:2] != (was.st_ino, was.st_ctime_ns)

    def _as_applied(self, place: Place, name: str, was: "posix.stat_result", now: "posix.stat_result") -> bool:
        """Tell whether both are as they were when one was made from the other."""
        stamp = (was.st_ino, was.st_ctime_ns, now.st_ino, now.st_ctime_ns)
        return self._applied.get(f"{place.path}/{name}" if place.path else name) == stamp

    def _was_moved(self, path: str, was: "posix.stat_result") -> bool:
        """Tell whether a directory came to its place since: that changes its ctime, and not its mtime."""
        return was.st_mtime_ns <= self._since and self._touched(path, was)


def _look(directory: int, name: str) -> "posix.stat_result | None":
    if directory < 0:
        return None
    try:
        return posix.lstat(name, dir_fd=directory)
    except FileNotFoundError:
        return None


def _same(upper: int, lower: int, name: str, was: "posix.stat_result", now: "posix.stat_result") -> bool:
    """Tell whether an entry that is no directory is the same in both, but for its times."""
    kind = kind_of(now)
    if (was.st_mode ^ now.st_mode) & ~(_SET_ID if kind == FILE else 0):
        return False  # set-id bits of files are never applied, so they are no difference
    try:
        if kind == LINK:
            return posix.readlink(name, dir_fd=upper) == posix.readlink(name, dir_fd=lower)
        if kind == FILE:
            return was.st_size == now.st_size and now.st_size <= COMPARED and equal(upper, lower, name)
    except OSError:
        return False
    return True
