"""Take and restore snapshots of a sandbox's layer: run as a file, with a job on stdin (see `ask.py`).

At a snapshot the layer that a sandbox writes to is put below a new, empty one; nothing of it is read or copied. What is
exchanged is told by a file that is there meanwhile: who finds it without its maker finishes, or takes back, what that
one began. Builtin modules only.
"""

import marshal
import posix
import sys
import time

if __name__ == "__main__":  # started as a file, without site: find the package that this file is in
    sys.path.insert(0, __file__.rpartition("/")[0].rpartition("/")[0].rpartition("/")[0])

from aisbx_linux.lasting import use
from aisbx_linux.lasting.identity import lives, recall
from aisbx_linux.lasting.pause import PAUSED, WORKING, hold, paused
from aisbx_linux.layer import stack
from aisbx_linux.layer.place import about, drop
from aisbx_linux.layer.stack import ABOUT, CHANGING, FROZEN, NEXT, StackError
from aisbx_linux.layer.swap import BUSY, END_IT, Swap, SwapError, hindrance

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

    from aisbx_linux.lasting.identity import Held

OVERLAY = "overlay"
_PATIENCE = 5.0


class BusyError(OSError):
    """Commands run in the sandbox, or something else uses its workspace."""

    def __init__(self, text: str, hint: str = END_IT) -> None:
        """Keep both."""
        super().__init__(text)
        self.hint = hint


class Alone:
    """A sandbox that no command and no copying of files can join meanwhile."""

    def __init__(self, home: str) -> None:
        """Wait for those that are just joining, and for files that are being copied; BusyError where that is long."""
        self._opened = [hold(home)]
        self.home = home
        self.paused = paused(home)
        self._use = -1
        self._opened.append(posix.open(f"{home}/{WORKING}", posix.O_RDWR | posix.O_CREAT | posix.O_CLOEXEC, 0o600))
        try:
            _lock(self._opened[1])
            self._use = use.begin(home)
            finish(home)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let others in."""
        use.end(self._use)
        for descriptor in self._opened:
            posix.close(descriptor)

    def __enter__(self) -> "Self":
        """Give itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let others in."""
        self.close()

    def held(self) -> "Held | None":
        """Give what is known of its processes; None where it has ended."""
        held = recall(self.home)
        return held if held is not None and lives(held) else None


def _lock(descriptor: int) -> None:
    import fcntl

    until = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise BusyError("its files are being copied", "try again") from None
            time.sleep(0.01)
        else:
            return


def take(home: str, kept: str, place: str) -> str:
    """Make `place`, an empty directory of ours, a snapshot of the sandbox in `home`; gives by what mechanism.

    BusyError where commands run in it, and nothing is done then; StackError and SwapError where it can't be.
    """
    with Alone(home) as alone:
        freeze(alone, kept)
        layer = f"{home}/layer"
        stack.write_snapshot(place, layer, stack.standing(layer), kept)
    return OVERLAY


def restore(home: str, kept: str, place: str) -> str:
    """Have a sandbox stand on a snapshot again; what it has written since is dropped. Errors as of `take`."""
    with Alone(home) as alone:
        _replace(alone, kept, place, freezes=False)
    return OVERLAY


def begin(origin: str, kept: str, layer: str) -> None:
    """Make a new sandbox's layer stand on a snapshot, or on what another (`origin` is its home) has now.

    Errors as of `take`.
    """
    if stack.whole(f"{origin}/layer"):
        with Alone(origin) as alone:
            freeze(alone, kept)
            _begin(f"{origin}/layer", kept, layer)
    else:
        _begin(origin, kept, layer)


def _begin(source: str, kept: str, layer: str) -> None:
    known = about(source)
    if known is None:
        raise StackError("there is no layer to begin with")
    stack.make(layer, source, stack.standing(source), kept, stack.shown_root(source, known["workspace"]))


def freeze(alone: Alone, kept: str) -> None:
    """Have nothing in the layer of a sandbox but what stands below it."""
    layer = f"{alone.home}/layer"
    known = about(layer)
    if known is None:
        raise StackError("the sandbox has no layer over its workspace")
    if not stack.blank(layer, known["workspace"]):
        _replace(alone, kept, layer, freezes=True)


def _replace(alone: Alone, kept: str, source: str, *, freezes: bool) -> None:
    """Exchange the layer for an empty one that stands on what `source` does, and (`freezes`) on the layer itself."""
    home, held = alone.home, alone.held()
    layer, following = f"{home}/layer", f"{home}/{NEXT}"
    known = about(layer)
    if known is None:
        raise StackError("the sandbox has no layer over its workspace")
    if held is not None:
        why, hint = (PAUSED, "aisbx resume") if alone.paused else hindrance(held)
        if why:
            raise BusyError(why, hint)
    stack.frozen(kept)
    _mark(home, kept)
    swap: Swap | None = None
    try:
        own = [(posix.urandom(6).hex(), f"{layer}/{ABOUT}")] if freezes else []
        root = f"{layer}/upper" if freezes else stack.shown_root(source, known["workspace"])
        stack.make(following, layer if freezes else source, [*own, *stack.standing(source)], kept, root, fresh=True)
        if held is not None:
            lowers = [f"{path}/upper" for path in stack.below(source)]
            swap = Swap(held, [f"{layer}/upper", *lowers] if freezes else lowers, following)
        stack.exchange(home)
    except BaseException as error:
        if swap is not None:
            swap.close()
        drop(following)
        posix.unlink(f"{home}/{CHANGING}")
        if isinstance(error, SwapError) and str(error) == BUSY:
            raise BusyError(BUSY) from None
        raise
    if swap is not None:
        swap.commit()
    _settle(home, kept)


def finish(home: str) -> None:
    """Finish an exchange that was cut off, or take it back if nothing was exchanged; only for who is alone with it."""
    try:
        with open(f"{home}/{CHANGING}", "rb", buffering=0) as stream:
            kept = stream.readall().decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return
    if not stack.exchanged(home):
        drop(f"{home}/{NEXT}")
    held = recall(home)
    if held is not None and lives(held):  # whichever layer it has by now, and whether that can be written to
        old = f"{home}/{NEXT}/upper"
        lowers = [f"{path}/upper" for path in stack.below(f"{home}/layer")]
        if lowers and not _is_directory(lowers[0]):
            lowers[0] = old  # it has not been put away yet
        Swap(held, lowers, f"{home}/layer").commit()
    _settle(home, kept)


def _settle(home: str, kept: str) -> None:
    """Put away what the layer was before, and say that it is done."""
    left = stack.put_away(home, kept)
    stack.unmark(f"{home}/layer")
    posix.unlink(f"{home}/{CHANGING}")
    if left:
        gone = f"{kept}/{FROZEN}/.{posix.urandom(6).hex()}"
        posix.rename(left, gone)
        drop(gone)


def _mark(home: str, kept: str) -> None:
    """Say that the layer is being exchanged, whole or not at all."""
    from aisbx_linux.processes import write_all

    temporary = f"{home}/.{CHANGING}"
    file = posix.open(temporary, posix.O_WRONLY | posix.O_CREAT | posix.O_TRUNC | posix.O_CLOEXEC, 0o600)
    try:
        write_all(file, kept.encode("utf-8", "surrogateescape"))
    finally:
        posix.close(file)
    posix.rename(temporary, f"{home}/{CHANGING}")


def _is_directory(path: str) -> bool:
    try:
        posix.close(posix.open(path, posix.O_PATH | posix.O_DIRECTORY | posix.O_CLOEXEC))
    except OSError:
        return False
    return True


def recover(home: str) -> str:
    """Wait for an exchange that goes on, and finish one that was cut off. Errors as of `take`."""
    Alone(home).close()
    return ""


def copy(home: str, kept: str, place: str) -> str:
    """Make `place` a snapshot by a copy of the layer, of a sandbox that is paused; gives by what mechanism."""
    import fcntl

    from aisbx_linux.layer.copy import copy_tree

    with Alone(home):
        layer, name = f"{home}/layer", posix.urandom(6).hex()
        made = f"{stack.frozen(kept)}/{name}"
        posix.mkdir(made, 0o700)
        making = posix.open(made, posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC)
        try:
            fcntl.flock(making, fcntl.LOCK_EX)
            mechanism = copy_tree(f"{layer}/upper", f"{made}/upper")
            if posix.geteuid() == 0:
                status = posix.stat(layer)
                posix.chown(made, status.st_uid, status.st_gid)
            stack.copy_known(layer, made)
            stack.write_snapshot(place, layer, [(name, f"{made}/{ABOUT}"), *stack.standing(layer)], kept)
        finally:
            posix.close(making)
    return mechanism


def told(error: OSError) -> str:
    """Give what is wrong in a line."""
    return f"{error.filename}: {error.strerror}" if error.filename else str(error)


def hint_for(error: OSError) -> str:
    """Give what to do about it."""
    return str(getattr(error, "hint", "see: aisbx inspect NAME"))


_WORKS = {"take": take, "restore": restore, "copy": copy, "recover": recover}


def main() -> None:
    """Do a job, and write what came of it: (mechanism,), or (kind of error, text, hint)."""
    with open(0, "rb", closefd=False) as stream:
        work, arguments = marshal.load(stream)  # noqa: S302 - from the process that started this one
    try:
        answer: tuple[object, ...] = (_WORKS[work](*arguments),)
    except OSError as error:
        answer = (type(error).__name__, told(error), hint_for(error))
    posix.write(1, marshal.dumps(answer))


if __name__ == "__main__":
    main()
