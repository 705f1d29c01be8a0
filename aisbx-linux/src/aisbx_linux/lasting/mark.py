"""Know whatever came of a command, also what left its tree and its session. Builtin modules only.

Two limits of setrlimit(2) that do nothing here, RLIMIT_LOCKS (since Linux 2.4.25) and RLIMIT_RTTIME (no process
inside may be scheduled in real time), are set to numbers made of the command's id, whose sum is the same for all. They
are inherited, and without a privilege over the whole system they can only be lowered: what lowers one, to be taken for
another command's, is below both numbers of its own command still, and a process that does not is never below both of
another's.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aisbx_linux.lasting.identity import Held

    Mark = tuple[int, int]
    """What the two limits are at most, of all that came of the command."""

_LOCKS, _RTTIME = 10, 15
_NAMES = (b"Max file locks ", b"Max realtime timeout ")
_NAME = 26
"""Characters of a name in /proc/PID/limits (fs/proc/base.c, proc_pid_limits)."""
_UNLIMITED = 1 << 64
_BASE, _SPAN = 1 << 60, 1 << 48
"""Ids have 48 bits (`aisbx.plan.run.new_run`)."""


def mark(run: str) -> "Mark | None":
    """Give the mark of a command by its id; None where this process's own limits leave no room for it."""
    import resource

    number = int(run, 16) % _SPAN
    wanted = (_BASE + number, _BASE + _SPAN - number)
    ceilings = (resource.getrlimit(kind)[1] for kind in (_LOCKS, _RTTIME))
    if all(ceiling == resource.RLIM_INFINITY or ceiling > most for ceiling, most in zip(ceilings, wanted, strict=True)):
        return wanted
    return None


def put(held: "Held", marked: "Mark | None", rlimits: "tuple[tuple[int, int, int], ...]" = ()) -> "Held":
    """Give a sandbox as a command joins it that is to be marked, and to have these limits beside the sandbox's."""
    rows = [*held["plan"]["rlimits"], *rlimits]
    if marked is not None:
        rows += [(kind, most, most) for kind, most in zip((_LOCKS, _RTTIME), marked, strict=True)]
    return {**held, "plan": {**held["plan"], "rlimits": rows}}


def has(process: int, marked: "Mark") -> bool:
    """Tell whether a process came of the command with this mark, by /proc/PID/limits, which anybody may read."""
    try:
        with open(f"/proc/{process}/limits", "rb", buffering=0) as file:
            rows = file.read().splitlines()
    except OSError:
        return False  # it has ended
    return all(_hard(rows, name) <= most for name, most in zip(_NAMES, marked, strict=True))


def _hard(rows: "list[bytes]", name: bytes) -> int:
    words = next((row for row in rows if row.startswith(name)), b"")[_NAME:].split()
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else _UNLIMITED


def left(first: int, run: str) -> "list[int]":
    """Give what came of a command that has ended, by the sandbox's first process."""
    from aisbx_linux.processes import below

    marked = mark(run)
    return [] if marked is None else [process for process in below(first) if has(process, marked)]
