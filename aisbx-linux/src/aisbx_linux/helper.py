"""A small process that starts the tools of a large one: it forks for each, and takes the tool along when that one ends.

Started as a file with its client's pid; launches come over a socket, each with the descriptors of its own. Everything
is imported before: a fork shares it. Builtin modules only.
"""

import marshal
import posix
import sys

if __name__ == "__main__":  # started as a file, without site: find the package that this file is in
    sys.path.insert(0, __file__.rpartition("/")[0].rpartition("/")[0])

from aisbx_linux import syscalls
from aisbx_linux.message import SOCKET, receive, send
from aisbx_linux.processes import leave
from aisbx_linux.spawn import report, start_tool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aisbx_linux.cgroup.group import Door
    from aisbx_linux.spawn import Staging

    Launch = tuple[str, list[str], Staging | None, list[Door], bool]

_BASE = 128
_CLIENT = 4
"""The descriptor of a pidfd of the client."""
_CLONE_PARENT, _SIGCHLD, _KILL = 0x8000, 17, 9
_CLONE = {"x86_64": 56, "aarch64": 220}
"""Machine → number of clone(2)."""
_HIGHEST = 1 << 20


def main() -> None:
    """Serve until the client has gone."""
    import _socket
    import fcntl as _fcntl
    import resource as _resource
    import select

    from aisbx_linux import compose as _compose
    from aisbx_linux import cradle as _cradle
    from aisbx_linux import stage as _stage
    from aisbx_linux.cgroup import group as _group

    del _fcntl, _resource, _compose, _cradle, _stage, _group
    client = int(sys.argv[1])
    posix.closerange(SOCKET + 1, _HIGHEST)
    if posix.pidfd_open(client) != _CLIENT or posix.getppid() != client:
        leave(1)
    posix.chdir("/")
    source = _socket.socket(fileno=SOCKET)
    posix.set_inheritable(SOCKET, False)  # noqa: FBT003 - positional only
    number = _CLONE[posix.uname().machine]
    waiting = select.poll()
    for descriptor in (SOCKET, _CLIENT):
        waiting.register(descriptor, select.POLLIN)
    while True:
        if any(descriptor == _CLIENT for descriptor, _ in waiting.poll()):
            leave(0)
        message, received = receive(source, 64)
        while received and len(received) < int(message):
            _, more = receive(source, 64)
            received = received + more if more else []
        if not received:
            leave(0)
        child = syscalls.call("syscall", number, _CLONE_PARENT | _SIGCHLD, 0, 0, 0, 0)
        if child == 0:
            _serve(received)
        for descriptor in received:
            posix.close(descriptor)
        send(source, marshal.dumps(child))


def _serve(received: list[int]) -> None:
    """Start the tool, wait for it, end as it ended; it ends with the client."""
    failure = -1
    try:
        posix.setsid()
        with open(received[0], "rb") as stream:
            stream.seek(0)
            launch: Launch
            passed, own, launch = marshal.load(stream)  # noqa: S302 - from the client
        life = _place(passed, own, received[1:])
        failure = own[0]
        program, argv, staging, doors, contained = launch
        child = start_tool(program, argv, [], staging, doors, contained=contained)
        # Only the tool may hold the streams and reports: their end tells that it has ended.
        posix.closerange(0, life)
        leave(_wait(child, life))
    except BaseException as error:  # noqa: BLE001 - whatever it is, the client must hear of it
        if failure >= 0:
            report(error, failure)
    finally:
        leave(1)


def _place(passed: list[int], own: list[int], received: list[int]) -> int:
    """Have what was received under its numbers, a pidfd of the client above them, and nothing else; gives that one."""
    import fcntl

    numbers = [*passed, *own]
    life = max(numbers) + 1
    high = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, max(life, *received) + 1) for descriptor in received]
    watched = fcntl.fcntl(_CLIENT, fcntl.F_DUPFD_CLOEXEC, high[-1] + 1)
    posix.closerange(0, high[0])
    for descriptor, number in zip(high, numbers, strict=True):
        posix.dup2(descriptor, number, inheritable=number in passed)
    posix.dup2(watched, life, inheritable=False)
    posix.closerange(life + 1, _HIGHEST)
    return life


def _wait(child: int, life: int) -> int:
    """Give the exit code of the tool, as a shell does; kill it when the client has gone."""
    import select

    process = posix.pidfd_open(child)
    waiting = select.poll()
    for descriptor in (process, life):
        waiting.register(descriptor, select.POLLIN)
    if any(descriptor == life for descriptor, _ in waiting.poll()):
        posix.kill(child, _KILL)
    code = posix.waitstatus_to_exitcode(posix.waitpid(child, 0)[1])
    return code if code >= 0 else _BASE - code


if __name__ == "__main__":
    main()
