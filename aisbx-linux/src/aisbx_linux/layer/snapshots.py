"""Snapshots and forks of lasting sandboxes whose layers are overlay mounts, for a driver."""

from collections.abc import Callable
from pathlib import Path

from aisbx.errors import StateError

from aisbx_linux.lasting.freezer import TreeFreezer
from aisbx_linux.lasting.identity import lives, recall
from aisbx_linux.layer import sized, stack
from aisbx_linux.layer.ask import RefusedError, ask

BUSY = "BusyError"


def snapshot(home: Path, kept: Path, place: Path) -> str:
    """Make `place` a snapshot of a sandbox's layer; gives the mechanism: `overlay`, or `reflink` or `copy`.

    While commands run in it they are stopped and the layer is copied. StateError where it can't be.
    """
    refuse_sized(home)
    try:
        return ask("take", str(home), str(kept), str(place))
    except RefusedError as error:
        if error.kind != BUSY:
            raise _refused(error) from None
    freezer = _freezer(home)
    if freezer is None or freezer.paused:
        return _asked(lambda: ask("copy", str(home), str(kept), str(place)))
    with freezer.still():
        return _asked(lambda: ask("copy", str(home), str(kept), str(place)))


def refuse_sized(home: Path) -> None:
    """Refuse, with a StateError, a sandbox whose layer lies in a file system of its own: links don't lead out of it."""
    if sized.there(home / "layer"):
        told = "its layer has a file system of its own (--disk), and cannot be put below another"
        raise StateError(told, hint="make it without --disk")


def restore(home: Path, kept: Path, place: Path) -> None:
    """Have a sandbox's workspace be as in a snapshot again; StateError while commands run in it."""
    _asked(lambda: ask("restore", str(home), str(kept), str(place)))


def sweep(kept: Path) -> None:
    """Remove the layers that no sandbox and no snapshot stands on any more; StateError where one can't be removed."""
    try:
        stack.sweep(str(kept))
    except OSError as error:
        raise StateError(
            f"{error.filename or kept}: {error.strerror or error}", hint="see whose files lie there"
        ) from None


def _freezer(home: Path) -> TreeFreezer | None:
    held = recall(str(home))
    return TreeFreezer(str(home), held["first"][0], held["groups"]) if held is not None and lives(held) else None


def _asked(work: Callable[[], str]) -> str:
    try:
        return work()
    except RefusedError as error:
        raise _refused(error) from None


def _refused(error: RefusedError) -> StateError:
    return StateError(str(error), hint=error.hint)
