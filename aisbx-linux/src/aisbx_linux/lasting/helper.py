"""A process that has joined a sandbox and starts commands there for one client, one after the other.

It has the sandbox's namespaces but for that of processes, in which only its children are (setns(2)): nothing inside can
see, signal or trace it, and it listens to nothing but a socket of its client's. All that confines a command is
put on itself, once, and inherited, so that a command costs no more than posix_spawn(3), which copies nothing of it.
Imports nothing once it has joined: what lies there on its path is the sandbox's. Run as a file.
"""

import marshal
import posix
import sys

if __name__ == "__main__":  # started as a file, without site: find the package that this file is in
    sys.path.insert(0, __file__.rpartition("/")[0].rpartition("/")[0].rpartition("/")[0])

import select

from aisbx_linux.lasting import asking, join
from aisbx_linux.message import SOCKET, receive, send
from aisbx_linux.processes import leave

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket

PIDS = 4
"""The descriptor of a memory file that always has the pid of the command that runs, 0 for none."""
PIDS_SIZE = 4096
"""Its bytes; the first eight are the pid."""
STARTING = (1 << 64) - 1
"""There instead of a pid that is not known yet."""
_RESTORED = (13, 25)  # SIGPIPE, SIGXFSZ: Python ignores them, a command expects their defaults
_NO_ENTRY, _NOT_DIRECTORY = 2, 20
_KILL = 9
_HIGHEST = 1 << 20


def main() -> None:
    """Join the sandbox that the client names, and serve until one of the two has gone."""
    import _socket
    import mmap

    posix.closerange(PIDS + 1, _HIGHEST)
    client = _socket.socket(fileno=SOCKET)
    for descriptor in (SOCKET, PIDS):
        posix.set_inheritable(descriptor, False)  # noqa: FBT003 - positional only
    held = marshal.loads(receive(client)[0])  # noqa: S302 - from the process that started this one
    try:
        first = join.enter(held)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the client must hear of it
        send(client, b"!" + (str(error) or type(error).__name__).encode(errors="replace"))
        leave(1)
    running = memoryview(mmap.mmap(PIDS, PIDS_SIZE)).cast("Q")
    sys.path.clear()
    sys.meta_path.clear()
    send(client, asking.JOINED)
    serve(client, first, running)


def serve(client: "socket", first: int, running: "memoryview[int]") -> None:
    """Start what the client asks for; `first` is a pidfd of the first process, `running` the memory that both have."""
    idle, waiting = select.poll(), select.poll()
    for descriptor in (SOCKET, first):
        idle.register(descriptor, select.POLLIN)
    waiting.register(SOCKET, select.POLLIN)  # it says nothing before it has its answer: it can only have gone
    while True:
        for descriptor, _ in idle.poll():
            if descriptor == first:
                leave(0)
        message, descriptors = receive(client)
        if not message:
            leave(0)
        begun = _begin(asking.requested(message), descriptors[:3], running)
        posix.chdir("/")  # the workspace may be exchanged for another while there is nothing to do
        for descriptor in descriptors:
            posix.close(descriptor)
        send(client, asking.answer(_wait(begun, waiting, running) if isinstance(begun, int) else begun))


def _begin(
    told: "tuple[list[str], dict[str, str], str]", streams: list[int], running: "memoryview[int]"
) -> int | tuple[int, str]:
    """Start a command and give its pid, or the errno of execve(2), 0 where it did not come to that, and what to say."""
    argv, environment, cwd = told
    try:
        posix.chdir(cwd)
    except OSError as error:
        return 0, f"{cwd}: {error.strerror}: no such directory to start in"
    running[0] = STARTING
    try:
        running[0] = pid = _start(argv, environment, streams)
    except OSError as error:
        running[0] = 0
        return error.errno or 0, error.strerror or str(error)
    return pid


def _wait(pid: int, waiting: "select.poll", running: "memoryview[int]") -> tuple[int, float, float, int]:
    """Give status and usage of a command once it has ended; it ends with the client."""
    process = posix.pidfd_open(pid)
    waiting.register(process, select.POLLIN)
    for descriptor, _ in waiting.poll():
        if descriptor == SOCKET:
            posix.kill(pid, _KILL)
            leave(0)
    running[0] = 0  # before it is reaped: nobody else can have the number yet
    _, status, used = posix.wait4(pid, 0)
    waiting.unregister(process)
    posix.close(process)
    return status, used.ru_utime, used.ru_stime, used.ru_maxrss


def _start(argv: list[str], environment: dict[str, str], streams: list[int]) -> int:
    """Start a program, looked for as execvp(3) does; OSError where none can be."""
    command = argv[0]
    if "/" in command:
        return _spawn(command, argv, environment, streams)
    best: OSError | None = None
    for place in environment.get("PATH", "/usr/bin:/bin").split(":"):
        path = f"{place or '.'}/{command}"
        try:
            posix.stat(path)  # cheaper than a process that cannot become it
            return _spawn(path, argv, environment, streams)
        except OSError as error:
            if best is None or error.errno not in {_NO_ENTRY, _NOT_DIRECTORY}:
                best = error
    raise best or FileNotFoundError(_NO_ENTRY, "No such file or directory")


def _spawn(path: str, argv: list[str], environment: dict[str, str], streams: list[int]) -> int:
    return posix.posix_spawn(
        path,
        argv,
        environment,
        file_actions=[(posix.POSIX_SPAWN_DUP2, descriptor, number) for number, descriptor in enumerate(streams)],
        setsid=True,
        setsigdef=_RESTORED,
        setsigmask=(),
    )


if __name__ == "__main__":
    main()
