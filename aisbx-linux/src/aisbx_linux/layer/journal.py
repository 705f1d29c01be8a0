"""What an apply has done so far, written down before it goes on: whoever is killed in it has lost nothing of that.

Beside what was applied before (`applied`, one marshalled table) lies, while one is under way, `applying`: marshalled
rows, one for each step. The next apply takes them over, and takes away the file that was being made. Builtin modules
only.
"""

import marshal
import posix

from aisbx_linux.processes import write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aisbx_linux.layer.walk import Difference, Stamp

BOOKS = ".books"
"""Behind a layer's name: where this lies for one that may be full, see `sized`; in the layer for any other."""
BOOKED = _APPLIED, _APPLYING = "applied", "applying"
_REPLACED = ""
"""Among what was applied by path: the inodes of the workspace's files that were replaced or removed by it."""
_MODE, _OWNER = 0o7777, 0o700
_CREATE = posix.O_WRONLY | posix.O_CREAT | posix.O_TRUNC | posix.O_CLOEXEC


class Journal:
    """What is known of what was applied of one layer."""

    def __init__(self, place: str) -> None:
        """Read it; nothing is known of a layer of which nothing was applied, or of what cannot be read."""
        beside = place + BOOKS
        try:
            posix.lstat(beside)
        except FileNotFoundError:
            beside = place
        self.applied: dict[str, Stamp] = {}
        """By path, what was made of it on the host."""
        self.replaced: set[int] = set()
        """The inodes of what had its place there."""
        self.unfinished = ("", "")
        """The name of what was being made when an apply was cut off, and the path that it was for; else empty."""
        self._place = beside
        self._steps = -1
        self._cut_off = False
        self._recall()

    def half_made(self, path: str, was: "posix.stat_result", now: "posix.stat_result") -> bool:
        """Tell whether an apply that was cut off made this directory, or unlocked it, and did not give it its mode."""
        ours = path == self.unfinished[1] or self.applied.get(path, (0,))[0] == was.st_ino
        return self._cut_off and ours and was.st_mode & _MODE in {_OWNER, now.st_mode & _MODE | _OWNER}

    def begin(self, temporary: str) -> None:
        """Write each step down from now on; `temporary` is the name of what is being made at any time."""
        if self._cut_off:
            self.keep()
        self._steps = posix.open(f"{self._place}/{_APPLYING}", _CREATE, 0o600)
        self._write(temporary)

    def step(self, path: str) -> None:
        """Say that something is to be made of a path."""
        self._write(path)

    def done(self, difference: "Difference", there: "posix.stat_result | None") -> None:
        """Say what is there now in the place of a difference."""
        was, now = difference.was, difference.now
        stamp = (there.st_ino, there.st_ctime_ns) if there is not None else None
        if stamp is not None and now is not None:
            stamp += (now.st_ino, now.st_ctime_ns)
        row = (difference.path, stamp, was.st_ino if was is not None else 0)
        self._take(*row)
        self._write(row)

    def close(self) -> None:
        """Put all of it into one table again."""
        if self._steps >= 0:
            posix.close(self._steps)
            self._steps = -1
        self.keep()

    def keep(self) -> None:
        """Write the table, whole or not at all; the steps are in it then."""
        temporary = f"{self._place}/.{_APPLIED}"
        file = posix.open(temporary, _CREATE, 0o600)
        try:
            write_all(file, marshal.dumps({**self.applied, _REPLACED: tuple(self.replaced)}))
        finally:
            posix.close(file)
        posix.rename(temporary, f"{self._place}/{_APPLIED}")
        try:
            posix.unlink(f"{self._place}/{_APPLYING}")
        except FileNotFoundError:
            return

    def _recall(self) -> None:
        try:
            with open(f"{self._place}/{_APPLIED}", "rb") as stream:
                applied = dict(marshal.load(stream))  # noqa: S302 - in a private directory of ours
            self.replaced = set(applied.pop(_REPLACED, ()))
            self.applied = applied
        except (OSError, EOFError, ValueError, TypeError):
            pass
        try:
            with open(f"{self._place}/{_APPLYING}", "rb") as stream:
                self._cut_off = True
                temporary = marshal.load(stream)  # noqa: S302 - as above
                while True:
                    row = marshal.load(stream)  # noqa: S302 - as above
                    if isinstance(row, str):
                        self.unfinished = (temporary, row)
                    else:
                        self._take(*row)
                        self.unfinished = ("", "")
        except (OSError, EOFError, ValueError, TypeError):
            return  # its end, which may be half a row

    def _take(self, path: str, stamp: "Stamp | None", was: int) -> None:
        if was:
            self.replaced.add(was)
        if stamp is None:
            self.applied.pop(path, None)
        else:
            self.applied[path] = stamp

    def _write(self, row: object) -> None:
        write_all(self._steps, marshal.dumps(row))  # pyright: ignore[reportArgumentType]  (plain data)
