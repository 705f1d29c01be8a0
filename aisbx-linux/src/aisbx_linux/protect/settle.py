"""Undo, after every process of a sandbox has ended, what it planted where the host would run or trust it."""

from aisbx_linux.protect.scan import State, compare, store

# More findings than this are counted, not listed.
MAX_LINES = 100


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
    from aisbx_linux.protect.undo import Undo

    undo = Undo(state, quarantine)
    try:
        undo.all(stale)
    finally:
        undo.close()
    store(state)
    lines = undo.lines
    if len(lines) > MAX_LINES:
        more = len(lines) - MAX_LINES
        lines = [*lines[:MAX_LINES], f"and {more} more; all that was moved is in {quarantine}"]
    return lines
