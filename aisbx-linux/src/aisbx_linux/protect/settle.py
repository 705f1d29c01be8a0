"""Undo, after every process of a sandbox has ended, what it planted where the host would run or trust it."""

import posix

from aisbx_linux.protect.scan import State, compare

# More findings than this are counted, not listed.
MAX_LINES = 100
_ESTALE = 116


def settle(workspace: str, state: State, quarantine: str) -> "list[str]":
    """Bring the protected files of `workspace` back to `state`; gives a line for people for each thing that was done.

    `quarantine` is a directory of ours outside the workspace; it is made (mode 0700) if there is something to keep in
    it. Nothing is executed and no link is followed. A line that begins with `cannot` names what is still there.
    Raises OSError if the workspace can't be read any more.
    """
    if workspace != state.workspace:
        raise ValueError("this state is of another workspace")
    stale = compare(state)
    if stale is None:
        return []
    from aisbx_linux.protect.remember import store
    from aisbx_linux.protect.undo import Undo

    state.hold = _hold(state)
    try:
        undo = Undo(state, quarantine)
        try:
            undo.all(stale)
        finally:
            undo.close()
    finally:
        posix.close(state.hold)
        state.hold = -1
    store(state)
    lines = undo.lines
    if len(lines) > MAX_LINES:
        more = len(lines) - MAX_LINES
        lines = [*lines[:MAX_LINES], f"and {more} more; all that was moved is in {quarantine}"]
    return lines


def _hold(state: State) -> int:
    """Open the workspace that was looked at before; OSError where it was moved, or a link leads to its place."""
    state.unpack()
    held = posix.open(state.workspace, posix.O_PATH | posix.O_DIRECTORY | posix.O_NOFOLLOW | posix.O_CLOEXEC)
    status = posix.fstat(held)
    if (status.st_dev, status.st_ino) != state.dirs[state.workspace][:2]:
        posix.close(held)
        raise OSError(_ESTALE, "it was moved, or a link leads to its place")
    return held
