"""All that came of a command that joined a sandbox, and signals to it. Builtin modules only."""

import posix

from aisbx_linux.lasting.identity import started
from aisbx_linux.processes import below, send

_KILL, _CONT = 9, 18
_PASSES = 64


def family(first: int, command: int) -> list[int]:
    """Give a command and all that came of it, also what was left to PID 1, unless that began a session of its own."""
    found = [command, *below(command)]
    sessions = {_session(process) for process in found} - {0} | {command}
    return found + [process for process in below(first) if _session(process) in sessions]


def end_session(first: int, command: int) -> None:
    """End what is left of a command that has ended: its number may be somebody else's by now, but no session's."""
    for _ in range(_PASSES):
        found = [process for process in below(first) if _session(process) == command]
        for process in found:
            send(process, _KILL)
        if not any(map(started, found)):
            break


def signal_all(first: int, command: int, number: int) -> None:
    """Send a signal to a command and to all that came of it; SIGKILL until nothing new is found."""
    for _ in range(_PASSES if number == _KILL else 1):
        found = family(first, command)
        for process in found:
            send(process, number)
        if number != _KILL:
            for process in found:
                send(process, _CONT)  # one that is stopped would never hear of it
        if not any(map(started, found)):
            break


def _session(process: int) -> int:
    try:
        return posix.getsid(process)
    except ProcessLookupError:
        return 0
