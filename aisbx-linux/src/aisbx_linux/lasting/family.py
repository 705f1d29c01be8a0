"""All that came of a command that joined a sandbox, and signals to it. Builtin modules only."""

import posix

from aisbx_linux.lasting.identity import started
from aisbx_linux.processes import below, send

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from aisbx_linux.lasting.mark import Mark

_KILL, _CONT, _STOP = 9, 18, 19
_PASSES = 64


def family(first: int, command: int, marked: "Mark | None" = None) -> list[int]:
    """Give a command and all that came of it, also what was left to PID 1.

    What began a session of its own and left it is known where the command has a mark only.
    """
    found = [command, *below(command)]
    sessions = {_session(process) for process in found} - {0} | {command}
    return found + [process for process in below(first) if _session(process) in sessions or _has(process, marked)]


def end_session(first: int, command: int, marked: "Mark | None" = None) -> None:
    """End what is left of a command that has ended: its number may be somebody else's by now, but no session's."""
    end(lambda: [process for process in below(first) if _session(process) == command or _has(process, marked)])


def signal_all(first: int, command: int, number: int, marked: "Mark | None" = None) -> None:
    """Send a signal to a command and to all that came of it; SIGKILL until nothing is left."""
    signal_each(lambda: family(first, command, marked), number)


def signal_each(find: "Callable[[], list[int]]", number: int) -> bool:
    """Send a signal to all that `find` gives; SIGKILL until it gives nothing that lives. False where there was none."""
    found = find()
    if number == _KILL:
        end(find)
        return bool(found)
    for process in found:
        send(process, number)
    for process in found:
        send(process, _CONT)  # one that is stopped would never hear of it
    return bool(found)


def end(find: "Callable[[], list[int]]") -> None:
    """End all that `find` gives: stopped first, so that nothing makes more of them, or takes a place that is free."""
    stopped: set[int] = set()
    for _ in range(_PASSES):
        fresh = [process for process in find() if process not in stopped and started(process)]
        if not fresh:
            break
        for process in fresh:
            send(process, _STOP)
        stopped.update(fresh)
    for _ in range(_PASSES):
        found = [process for process in find() if started(process)]
        if not found:
            break
        for process in found:
            send(process, _KILL)


def _has(process: int, marked: "Mark | None") -> bool:
    if marked is None:
        return False
    from aisbx_linux.lasting.mark import has

    return has(process, marked)


def _session(process: int) -> int:
    try:
        return posix.getsid(process)
    except ProcessLookupError:
        return 0
