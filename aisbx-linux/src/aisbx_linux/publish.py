"""Make servers inside reachable on the host's loopback, by a process of their own (`forward`). Builtin modules only."""

import marshal
import posix
import sys

from aisbx_linux.lasting.identity import open_process, started
from aisbx_linux.processes import send, write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aisbx.types import LocalPlan

    from aisbx_linux.lasting.identity import Born

_FILE = __file__.rpartition("/")[0] + "/forward.py"
_KILL = 9
PROCESS = 3
"""The number at which the forwarder gets a pidfd of the sandbox's first process."""


class Published:
    """The ports of one sandbox; they are there until it has ended."""

    __slots__ = ("process",)

    def __init__(self, plan: "LocalPlan", first: int) -> None:
        """Listen for a sandbox whose first process the host knows as `first`; OSError where a port can't be had."""
        try:
            process = open_process((first, started(first)))
        except ProcessLookupError:
            raise OSError("the sandbox ended before its ports could be published") from None
        told, tell = posix.pipe2(posix.O_CLOEXEC)
        answer, answers = posix.pipe2(posix.O_CLOEXEC)
        told, answers, process = _above(told), _above(answers), _above(process)
        actions = [
            (posix.POSIX_SPAWN_DUP2, told, 0),
            (posix.POSIX_SPAWN_DUP2, answers, 1),
            (posix.POSIX_SPAWN_OPEN, 2, "/dev/null", posix.O_WRONLY, 0),
            (posix.POSIX_SPAWN_DUP2, process, PROCESS),  # by number it may not be known: see `cradle`
        ]
        words = [sys.executable, "-I", "-S", _FILE, *map(str, plan["publish"])]  # for whoever lists processes
        pid = posix.posix_spawn(sys.executable, words, {}, file_actions=actions, setsid=True)
        posix.close(process)
        posix.close(told)
        posix.close(answers)
        self.process: Born = (pid, started(pid))
        try:
            told_of = (plan["publish"], first, plan["rlimits"], plan["filter"])
            write_all(tell, marshal.dumps(told_of))
        except BrokenPipeError:
            pass  # it says why
        finally:
            posix.close(tell)
        problem = b""
        while data := posix.read(answer, 4096):
            problem += data
        posix.close(answer)
        if problem != b"ok":
            self.close()
            raise OSError(problem.decode(errors="replace") or "ports cannot be published here")

    def close(self) -> None:
        """Listen no longer; the process is this one's own child."""
        send(self.process[0], _KILL)
        posix.waitpid(self.process[0], 0)


def _above(descriptor: int) -> int:
    """Give a descriptor another number, which is none of those that the forwarder gets."""
    import fcntl

    try:
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, PROCESS + 1)
    finally:
        posix.close(descriptor)
