"""Launches of a process that is large, has threads, or has other children: a small one starts their tools.

It is started for the first launch, and forks for each: an interpreter for each would cost more than the sandbox.
Its forks are this process's own children (CLONE_PARENT), and end with it. Builtin modules only.
"""

import _socket
import _thread
import marshal
import posix
import sys

from aisbx_linux import helper
from aisbx_linux.message import MOST, SOCKET, receive, send
from aisbx_linux.processes import write_all
from aisbx_linux.spawn import strays

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from aisbx.types import LocalPlan

    from aisbx_linux.assemble import Assembly
    from aisbx_linux.cgroup.group import Door
    from aisbx_linux.spawn import Staging
    from aisbx_linux.wire import Wires

_ABOVE = 16
_INHERITED = (
    b"Umask",
    b"Uid",
    b"Gid",
    b"Groups",
    b"Cap",
    b"NoNewPrivs",
    b"Seccomp",
    b"Cpus_allowed:",
    b"Mems_allowed:",
)
"""How the lines of proc_pid_status(5) begin that tell what a child has of its parent."""
_LIMITS = 16
"""How many there are: RLIM_NLIMITS of asm-generic/resource.h."""
_NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid_for_children", "user", "uts")


class Helper:
    """A process that forks for each launch."""

    def __init__(self, made_for: "tuple[object, ...]") -> None:
        """Start it; `made_for` is what it inherits of this process."""
        import fcntl

        self.made_for = made_for
        self._socket, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
        moved = fcntl.fcntl(theirs.fileno(), fcntl.F_DUPFD_CLOEXEC, _ABOVE)
        actions: list[tuple[object, ...]] = [(posix.POSIX_SPAWN_CLOSE, stray) for stray in strays()]
        actions += [(posix.POSIX_SPAWN_OPEN, number, "/dev/null", posix.O_RDWR, 0) for number in range(SOCKET)]
        actions += [(posix.POSIX_SPAWN_DUP2, moved, SOCKET)]
        try:
            self.pid = posix.posix_spawn(
                sys.executable,
                [sys.executable, "-I", "-S", helper.__file__, str(posix.getpid())],
                {},
                file_actions=actions,  # pyright: ignore[reportArgumentType]
                setsid=True,
                setsigmask=(),
            )
        finally:
            theirs.close()
            posix.close(moved)

    def start(self, descriptors: "Sequence[int]") -> int:
        """Have a launch started, and give the pid of the process whose end is its end; OSError where it has gone.

        Of the `descriptors` the first is a memory file that says what the others are.
        """
        for place in range(0, len(descriptors), MOST):  # each with some: a read ends behind those
            send(self._socket, b"%d" % len(descriptors), tuple(descriptors[place : place + MOST]))
        answer = receive(self._socket, 64)[0]
        if not answer:
            raise BrokenPipeError
        child: int = marshal.loads(answer)  # noqa: S302 - from a process of ours
        if child < 0:
            raise OSError("starting a process was refused")
        return child

    def close(self) -> None:
        """Let it go; what it has started goes on."""
        self._socket.close()
        try:  # noqa: SIM105 - contextlib is one import more
            posix.waitpid(self.pid, 0)
        except ChildProcessError:
            pass  # whoever waits for every child of this process was first


class _Shared:
    """The helper of this process, for all its threads."""

    def __init__(self) -> None:
        self.lock = _thread.allocate_lock()
        self.helper: Helper | None = None

    @property
    def pid(self) -> int:
        """Give the helper's pid, 0 while there is none."""
        return 0 if self.helper is None else self.helper.pid

    def start(self, descriptors: "Sequence[int]") -> int:
        """Have the helper start a launch; one that was killed, or was made for another state, is replaced."""
        made_for = inherited()
        with self.lock:
            if self.helper is not None and self.helper.made_for == made_for:
                try:
                    return self.helper.start(descriptors)
                except (BrokenPipeError, ConnectionResetError):
                    pass  # it was killed, and nothing was started
            if self.helper is not None:
                self.helper.close()
            self.helper = Helper(made_for)
            return self.helper.start(descriptors)


shared = _Shared()
"""That of this process."""
posix.register_at_fork(after_in_child=shared.__init__)


def inherited() -> "tuple[object, ...]":
    """Give all that a child of this thread would have of it, and that says what a sandbox is or may use."""
    import resource

    with open("/proc/thread-self/status", "rb", buffering=0) as stream:
        status = [line for line in stream.read().splitlines() if line.startswith(_INHERITED)]
    with open("/proc/thread-self/cgroup", "rb", buffering=0) as stream:
        groups = stream.read()
    spaces = [posix.readlink(f"/proc/thread-self/ns/{name}") for name in _NAMESPACES]
    limits = [resource.getrlimit(number) for number in range(_LIMITS)]
    with open("/proc/thread-self/oom_score_adj", "rb", buffering=0) as stream:
        score = stream.read()
    return posix.getpid(), status, groups, spaces, limits, score, posix.getpriority(posix.PRIO_PROCESS, 0)


def start(
    plan: "LocalPlan", assembly: "Assembly", wires: "Wires", staging: "Staging | None", doors: "Sequence[Door]"
) -> int:
    """Start the tool, and give the process to watch; OSError with the kernel's words, or the stage's."""
    told, failure = posix.pipe2(posix.O_CLOEXEC)
    memory = posix.memfd_create("launch", posix.MFD_CLOEXEC)
    try:
        own = [failure, *(descriptor for door in doors for descriptor in door)]
        if staging is not None:
            own += [descriptor for descriptor, _, _ in staging[0]]
            own += [staging[3][3]] if staging[3] else []
        # The helper's own descriptors come above the tool's; it lets the tool have only the tool's.
        base = max(assembly.base, _ABOVE) + len(assembly.passed)
        moved = {descriptor: base + index for index, descriptor in enumerate(own)}
        if staging is not None:
            sources, layout, places, person = staging
            staged = [(moved[descriptor], mapped, needed) for descriptor, mapped, needed in sources]
            staging = (staged, layout, places, person and (*person[:3], moved[person[3]]))
        passages = [(moved[inside], moved[outside]) for inside, outside in doors]
        passed = {assembly.base + index: descriptor for index, descriptor in enumerate(assembly.passed)}
        numbers = [*range(len(wires.inside)), *passed]
        launch = (plan["program"], assembly.argv, staging, passages, plan["contained"])
        write_all(memory, marshal.dumps((numbers, list(moved.values()), launch)))
        child = shared.start([memory, *wires.inside, *passed.values(), *moved])
    except BaseException:
        posix.close(told)
        raise
    finally:
        posix.close(memory)
        posix.close(failure)
    return _started(child, told)


def _started(child: int, told: int) -> int:
    """Wait until the tool is executed, or raise what kept it from being."""
    with open(told, "rb", buffering=0) as reader:
        reason = reader.read(512)
    if reason:
        posix.waitpid(child, 0)
        raise OSError(reason.decode(errors="replace"))
    return child
