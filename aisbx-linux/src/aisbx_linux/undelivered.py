"""What it means for a run that a descriptor of the caller's refused its output. Builtin modules only.

The command writes to a pipe of ours, so it cannot see the error itself; the launcher answers for it.
"""

import posix

from aisbx_linux.ending import REFUSED, SHELL_SIGNAL_BASE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aisbx_linux.wire import Wires

SIGNALLED = SHELL_SIGNAL_BASE + 13
"""The exit code of a death by SIGPIPE: what a command meets without a sandbox when its reader has gone."""
_EPIPE = 32


def answer(code: int, wires: "Wires") -> "tuple[int, list[str]]":
    """Give the exit code and one line for each lost stream, from the command's own code.

    Only an end that looks like success, or that we caused by closing the pipe (SIGPIPE), is put right; any other code
    tells of a failure by itself. A reader that has gone is told by the code alone, as by any other command.
    """
    errors = [
        (name, out.error) for name, out in (("stdout", wires.stdout), ("stderr", wires.stderr)) if out and out.error
    ]
    told = [
        f"output: {name} could not be written: {posix.strerror(number)}; the command itself ended with {code}"
        for name, number in errors
        if number != _EPIPE
    ]
    if code in {0, SIGNALLED}:
        code = REFUSED if told else SIGNALLED
    return code, told
