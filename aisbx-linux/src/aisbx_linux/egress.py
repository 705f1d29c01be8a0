"""Start the process that holds a sandbox's allow-list, with sockets that were opened inside. Builtin modules only.

Two processes at once: one (`listen`) joins the sandbox's network, opens sockets, hands them over and is gone; the
other, which stays outside, has meanwhile loaded what it needs. The gate is opened once it says that it serves.
"""

import marshal
import posix
import sys

from aisbx_linux.lasting.identity import open_process, started
from aisbx_linux.processes import send, write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket

    from aisbx.types import EgressPlan, LocalPlan
else:
    import _socket  # the C module: `socket` costs milliseconds for its enumerations

SOCKET, PROCESS = 3, 4
"""The numbers at which both get the socket between them, and a pidfd of the sandbox's first process."""
_LISTEN = __file__.rpartition("/")[0] + "/listen.py"
_KILL = 9


class Egress:
    """The process that decides on one sandbox's connections; a child of this one."""

    __slots__ = ("pid",)

    def __init__(self, plan: "LocalPlan", egress: "EgressPlan", first: int, run: str, home: str) -> None:
        """Have it serve a sandbox whose first process the host knows as `first`; OSError says why it cannot."""
        try:
            process = above(open_process((first, started(first))))
        except ProcessLookupError:
            raise OSError("the sandbox ended before its network could be served") from None
        ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
        ours, theirs = above(ours.detach()), above(theirs.detach())
        served = (egress["job"], run, egress["principal"], home, egress.get("proxied", ""))
        inside = (egress["port"], egress["block"], first, plan["rlimits"], plan["filter"])
        self.pid, answer = start(egress["words"], ours, process, marshal.dumps(served))
        listener, last = start([sys.executable, "-I", "-S", _LISTEN], theirs, process, marshal.dumps(inside))
        for descriptor in (ours, theirs, process):
            posix.close(descriptor)
        problem = _read(last)
        posix.waitpid(listener, 0)
        said = _read(answer)
        if said != b"ok":
            self.close()
            raise OSError(
                f"--network: {(problem or said).decode(errors='replace') or 'the egress proxy does not start'}"
            )

    def close(self) -> None:
        """End it."""
        send(self.pid, _KILL)
        posix.waitpid(self.pid, 0)


def start(words: "list[str]", socket: int, process: int, told: bytes) -> "tuple[int, int]":
    """Start a process that is told something on stdin; gives its number, and what its answer is to be read from."""
    source, tell = posix.pipe2(posix.O_CLOEXEC)
    answer, answers = posix.pipe2(posix.O_CLOEXEC)
    source, answers = above(source), above(answers)
    actions = [
        (posix.POSIX_SPAWN_DUP2, source, 0),
        (posix.POSIX_SPAWN_DUP2, answers, 1),
        (posix.POSIX_SPAWN_OPEN, 2, "/dev/null", posix.O_WRONLY, 0),
        (posix.POSIX_SPAWN_DUP2, socket, SOCKET),
        (posix.POSIX_SPAWN_DUP2, process, PROCESS),
    ]
    try:
        pid = posix.posix_spawn(words[0], words, {}, file_actions=actions, setsid=True)
    finally:
        posix.close(source)
        posix.close(answers)
    try:
        write_all(tell, told)
    except BrokenPipeError:
        pass  # it says why, or says nothing
    finally:
        posix.close(tell)
    return pid, answer


def _read(descriptor: int) -> bytes:
    said = b""
    while data := posix.read(descriptor, 4096):
        said += data
    posix.close(descriptor)
    return said


def above(descriptor: int) -> int:
    """Give a descriptor another number, which is none of those that the processes get."""
    import fcntl

    try:
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, PROCESS + 1)
    finally:
        posix.close(descriptor)
