"""One layer on disk: what differs in it, what of that may go to the workspace, and what is left. Builtin modules only.

What the host would execute goes there only where it is named, and nothing goes over what was changed on the host.
"""

import errno
import posix

from aisbx_linux import syscalls
from aisbx_linux.layer.carry import Carrier, UndoneError
from aisbx_linux.layer.journal import Journal
from aisbx_linux.layer.place import about, cut_short, drop, replaced, since
from aisbx_linux.layer.stack import below
from aisbx_linux.layer.walk import ADDED, DIRECTORY, SOCKET, Difference, Walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aisbx_linux.layer.place import About

_DIRECTORY = posix.O_RDONLY | posix.O_DIRECTORY | posix.O_NOFOLLOW | posix.O_CLOEXEC
NAMED_ONLY = "the host would execute it"
_MOST_LINES = 20


class GoneError(OSError):
    """There is no layer, or it can't be read; the text says why."""


class Layer:
    """A layer and the workspace below it, both open; close it when done."""

    def __init__(self, place: str) -> None:
        """GoneError where there is none; OSError where the workspace cannot be opened, or a link leads to it."""
        known = about(place)
        if known is None:
            raise GoneError(f"{place} holds no layer that this version knows")
        self.known: About = known
        self.place = place
        self.workspace = syscalls.open_folder(known["workspace"])
        self.layers = tuple(_upper(path) for path in (place, *below(place)))
        """The open layers, the uppermost first."""
        self._journal = Journal(place)

    def close(self) -> None:
        """Close both."""
        posix.close(self.workspace)
        for layer in self.layers:
            posix.close(layer)

    def differences(self, paths: "Sequence[str]" = ()) -> "Iterator[Difference]":
        """Give what differs, of these paths below the workspace if any are given."""
        for difference in self._walk().differences():
            if not paths or _concerns(difference, paths):
                yield difference

    def pending(self) -> bool:
        """Tell whether there is anything to be applied or discarded; a socket whose server has gone is nothing."""
        return any(difference.kind != SOCKET for difference in self.differences())

    def apply(
        self, paths: "Sequence[str]" = (), *, move: bool, force: bool = False
    ) -> "Iterator[tuple[Difference, str]]":
        """Apply what differs, and give each with "", or with why it stays in the layer.

        `move`: nothing runs any more that could write to the layer. `force` goes over what was changed on the host, for
        the given paths.
        """
        # What was moved out of the uppermost would be seen again as those below it have it.
        carrier = Carrier(self.layers, self.workspace, move=move and len(self.layers) == 1)
        self._tidy()
        self._journal.begin(carrier.temporary)
        try:
            for difference in self.differences(paths):
                if difference.kind == SOCKET:
                    continue
                if difference.protected and not _names(difference, paths):
                    yield difference, f"{NAMED_ONLY}: {difference.protected}"
                elif difference.conflict and not (force and paths):
                    yield difference, difference.conflict
                else:
                    yield difference, self._carry(carrier, difference)
        finally:
            carrier.close()
            self._journal.close()

    def discard(self, paths: "Sequence[str]") -> "Iterator[Difference]":
        """Take these changes out of a layer that nothing uses any more; gives each."""
        for difference in self.differences(paths):
            parent, _, name = difference.path.rpartition("/")
            take(self.layers[0], parent, name)
            yield difference

    def _walk(self) -> Walk:
        known, journal = self.known, self._journal
        return Walk(
            self.layers,
            self.workspace,
            known["workspace"],
            since(known),
            journal.applied,
            journal.replaced,
            another=replaced(known, self.workspace),
            half_made=journal.half_made,
        )

    def _carry(self, carrier: Carrier, difference: Difference) -> str:
        self._journal.step(difference.path)
        try:
            there = carrier.carry(difference)
        except UndoneError as error:
            return str(error)
        self._journal.done(difference, there)
        return ""

    def _tidy(self) -> None:
        """Take away what an apply was making when it was killed."""
        name, path = self._journal.unfinished
        if not name:
            return
        from aisbx_linux.protect.walk import open_beneath

        try:
            above = open_beneath(self.workspace, path.rpartition("/")[0])
        except OSError:
            return  # gone, with its directory
        try:
            posix.unlink(name, dir_fd=above)
        except FileNotFoundError:
            return  # it had its place already, or was not made yet
        finally:
            posix.close(above)


def _upper(place: str) -> int:
    """Open what a sandbox wrote to, whatever it made of its mode."""
    try:
        return posix.open(f"{place}/upper", _DIRECTORY)
    except PermissionError:
        posix.chmod(f"{place}/upper", 0o700)
        return posix.open(f"{place}/upper", _DIRECTORY)


def take(upper: int, parent: str, name: str) -> None:
    """Take one entry out of a layer, with all in it; nothing happens where it is gone already."""
    from aisbx_linux.layer.remove import empty
    from aisbx_linux.protect.walk import open_beneath

    try:
        above = open_beneath(upper, parent)
    except FileNotFoundError:
        return  # with what it lay in
    try:
        try:
            posix.unlink(name, dir_fd=above)
        except OSError as error:
            if error.errno == errno.ENOENT:
                return
            if error.errno not in {errno.EISDIR, errno.EPERM}:
                raise
            inner = open_beneath(above, name)
            try:
                empty(inner)
            finally:
                posix.close(inner)
            posix.rmdir(name, dir_fd=above)
    finally:
        posix.close(above)


def finish(place: str, name: str = "") -> "list[str]":
    """Do at the end of a run what its mode says, and remove a layer with nothing left in it; gives what to say.

    `name` is what it is called in a review; that of its directory where none is given. OSError and GoneError where it
    can't be read: then it is kept as it is.
    """
    layer = Layer(place)
    name = name or place.rpartition("/")[2]
    lines: list[str] = []
    try:
        left = 0
        if layer.known["mode"] == "guarded" and not cut_short(layer.known):
            for difference, why in layer.apply(move=True):
                left += bool(why)
                if why and left <= _MOST_LINES:
                    from aisbx_linux.protect.quarantine import printable

                    lines.append(f"not applied: {printable(difference.path)}: {why}")
        elif layer.pending():
            left = 1
    finally:
        layer.close()
    if not left:
        drop(place)
        return []
    return [*lines, f"its changes are kept for a review: aisbx diff {name}"]


def _concerns(difference: Difference, paths: "Sequence[str]") -> bool:
    """Tell whether a difference is one of these paths, lies in one, or is a new directory that one lies in."""
    path = difference.path
    return any(
        path == wanted
        or path.startswith(f"{wanted}/")
        or (difference.action == ADDED and difference.kind == DIRECTORY and wanted.startswith(f"{path}/"))
        for wanted in paths
    )


def _names(difference: Difference, paths: "Sequence[str]") -> bool:
    """Tell whether something that is protected was named: itself, or what on the way to it is protected."""
    return any(
        difference.path == wanted
        or (
            difference.path.startswith(f"{wanted}/")
            and (wanted == difference.held or wanted.startswith(f"{difference.held}/"))
        )
        for wanted in paths
    )
