"""Start a command in a sandbox that is there already, behind the same walls as its first. Builtin modules only.

A short-lived child joins the namespaces and makes the command's process there, as its own sibling, so that this process
is the parent and sees how it ends. What is still Python there, inside, holds the caller's memory: it can't be looked
into by what runs in the sandbox (PR_SET_DUMPABLE), and brings no descriptor but the command's three and one that closes
by itself. Only for a process that is small and has no threads.
"""

import posix
import time

from aisbx_linux import syscalls
from aisbx_linux.ending import not_executed, refused
from aisbx_linux.lasting.identity import differing, lives, open_process
from aisbx_linux.processes import execute, leave, send
from aisbx_linux.relay import POLLIN
from aisbx_linux.rlimits import set_limits

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal

    from aisbx_linux.lasting.identity import Held
    from aisbx_linux.lasting.terminal import Terminal
    from aisbx_linux.watching.hand import Hand

if not TYPE_CHECKING:
    import _signal  # the C module: `signal` costs milliseconds for its enumerations

_CLONE_PARENT, _SIGCHLD = 0x8000, 17
_DUMPABLE = 4
_HIGHEST = 1 << 20
_RESTORED = (13, 25)  # SIGPIPE, SIGXFSZ: Python ignores them, a command expects their defaults
_NOT_FOUND, _FAILED = 127, 126
_KILL = 9
_PATIENCE = 10.0
"""Seconds in which a command must have begun."""
_NO_ENTRY, _NO_MEMORY, _NOT_DIRECTORY = 2, 12, 20
_ENDING = 2.0
"""Seconds in which a first process that was killed ends."""
KEPT = "it was kept from starting, by what runs in the sandbox"


class JoinError(Exception):
    """The command was not started; `number` is the errno of execve(2), 0 where it did not come to that."""

    def __init__(self, number: int, message: str) -> None:
        """Keep both."""
        super().__init__(message)
        self.number = number


def failed_to_join(error: JoinError, command: str, held: "Held") -> "tuple[str, str, str]":
    """Say why a command was not started."""
    if not error.number:
        return refused(str(error))
    if error.number == _NO_MEMORY and _ends(held):  # of clone(2), once a PID namespace has no first process any more
        return refused("the sandbox has ended")
    return not_executed(posix.strerror(_NO_ENTRY if error.number == _NOT_DIRECTORY else error.number), command)


def _ends(held: "Held") -> bool:
    """Tell whether a sandbox has ended, or does at this moment: its first process may still be at it."""
    until = time.monotonic() + _ENDING
    while lives(held):
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def start(
    held: "Held",
    argv: "list[str]",
    environment: "dict[str, str]",
    cwd: str,
    streams: "tuple[int, int, int]",
    *,
    terminal: "Terminal | None" = None,
    run: str = "",
) -> int:
    """Start a command and give its pid on the host; JoinError where it can't be, and then nothing runs.

    `streams` become 0, 1 and 2; a negative one is the `terminal`, which is opened in the sandbox and is the command's
    controlling terminal. Its other side is here then. `run` is told to who watches the sandbox, where somebody does.
    """
    import fcntl as _fcntl
    import resource as _resource
    import termios as _termios

    del _fcntl, _resource, _termios  # what nothing can import any more from inside

    numbers = _numbers()
    try:
        process = open_process(held["first"])
    except ProcessLookupError:
        raise JoinError(0, "the sandbox has ended") from None
    hand = connected(held, run)
    told, tell = posix.pipe2(posix.O_CLOEXEC)
    if terminal is not None:
        terminal.prepare()
    child = posix.fork()
    if child == 0:
        try:
            _join(held, process, cwd)
            if terminal is not None:
                slave = terminal.open_inside()
                first, second, third = (slave if stream < 0 else stream for stream in streams)
                streams = first, second, third
            command = syscalls.call("syscall", numbers[0], _CLONE_PARENT | _SIGCHLD, 0, 0, 0, 0)
            if command == 0:
                _become(held, argv, environment, streams, tell, hand, terminal=terminal is not None)
            posix.write(tell, f"{command}\n".encode())
        except BaseException as error:  # noqa: BLE001 - whatever it is, the launcher must hear of it
            _report(tell, error)
        finally:
            leave(_FAILED)
    posix.close(tell)
    posix.close(process)
    if hand is not None:
        hand.close()
    command = _started(_heard(told, child), child)
    if terminal is not None:
        terminal.take()
    return command


def connected(held: "Held", run: str) -> "Hand | None":
    """Connect to who watches the sandbox, None where nobody is to: before joining, when imports are still ours."""
    if held["watch"] is None and held["record"] is None:
        return None
    from aisbx_linux.watching.hand import hand_of

    return hand_of(held, run)


def _heard(told: int, child: int) -> bytes:
    """Read what the two children tell until neither can tell more. One that is stopped from inside is ended."""
    from select import poll

    answer, until = b"", time.monotonic() + _PATIENCE
    watched = poll()
    watched.register(told, POLLIN)
    try:
        while watched.poll(max(0.0, until - time.monotonic()) * 1000):
            data = posix.read(told, 4096)
            if not data:
                return answer
            answer += data
    finally:
        posix.close(told)
    command, _ = _parts(answer)
    for process in (command, child):
        if process > 0:
            send(process, _KILL)
    return answer + f"!0 {KEPT}\n".encode()


def _parts(answer: bytes) -> tuple[int, str]:
    """Give the command's pid and what went wrong, as far as they were told."""
    command, problem = 0, ""
    for line in answer.decode(errors="replace").splitlines():
        if line.startswith("!"):
            problem = line
        elif line:
            command = int(line)
    return command, problem


def _started(answer: bytes, child: int) -> int:
    """Give the command's pid, as the two children told it; JoinError with what one of them told beside it."""
    posix.waitpid(child, 0)
    command, problem = _parts(answer)
    if command > 0 and not problem:
        return command
    if command > 0:
        posix.waitpid(command, 0)
    number, _, message = problem[1:].partition(" ")
    raise JoinError(int(number or 0), message or "the sandbox could not be joined")


def enter(held: "Held") -> int:
    """Have this process in the sandbox, and all that confines a command on it; gives a pidfd of the first process.

    Only its children are among the sandbox's processes (setns(2)). OSError or JoinError where it can't be.
    """
    import resource as _resource

    del _resource  # what nothing can import any more from inside
    _numbers()
    try:
        process = open_process(held["first"])
    except ProcessLookupError:
        raise JoinError(0, "the sandbox has ended") from None
    hand = connected(held, "")
    _join(held, process, "/")
    confine(held["plan"]["rlimits"], held["plan"]["filter"], hand)
    return process


def _numbers() -> tuple[int, int]:
    numbers = syscalls.NUMBERS.get(posix.uname().machine)
    if numbers is None:
        raise JoinError(0, f"commands cannot join a sandbox on {posix.uname().machine} yet")
    return numbers


def _join(held: "Held", process: int, cwd: str) -> None:
    """Enter cgroups, namespaces and directory; as the sandbox's user."""
    if syscalls.call("prctl", _DUMPABLE, 0, 0, 0, 0) != 0:
        raise OSError("this process cannot be closed to others")
    for group in held["groups"]:
        enter_group(group)
    if posix.geteuid() == 0:
        posix.setgroups([])
    if syscalls.call("setns", process, differing(held["first"][0])) != 0:
        raise OSError("joining the sandbox's namespaces was refused")
    uid, gid = held["who"]
    posix.setresgid(gid, gid, gid)
    posix.setresuid(uid, uid, uid)
    # A change of user makes a process one that can be looked into again, or not, as the system likes (proc(5)).
    syscalls.call("prctl", _DUMPABLE, 0, 0, 0, 0)
    try:
        posix.chdir(cwd)
    except OSError as error:
        raise OSError(f"{cwd}: {error.strerror}: no such directory to start in") from None


def enter_group(group: str) -> None:
    """Enter a cgroup: in version 1 by the thread alone, which need not wait (see `aisbx_linux.cgroup.group`)."""
    try:
        descriptor = posix.open(f"{group}/tasks", posix.O_WRONLY | posix.O_CLOEXEC)
    except FileNotFoundError:
        descriptor = posix.open(f"{group}/cgroup.procs", posix.O_WRONLY | posix.O_CLOEXEC)
    posix.write(descriptor, b"0")
    posix.close(descriptor)


def _become(
    held: "Held",
    argv: "list[str]",
    environment: "dict[str, str]",
    streams: "tuple[int, int, int]",
    tell: int,
    hand: "Hand | None",
    *,
    terminal: bool,
) -> None:
    """Become the command; on failure, tell and end."""
    try:
        syscalls.die_with_parent()
        posix.setsid()
        _take(streams, (tell,) if hand is None else (tell, hand.fileno()))
        if terminal:
            import fcntl
            import termios

            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        confine(held["plan"]["rlimits"], held["plan"]["filter"], hand)
        execute(argv, environment)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the launcher must hear of it
        _report(tell, error)
    finally:
        leave(_FAILED)


def _take(streams: "tuple[int, int, int]", kept: "tuple[int, ...]") -> None:
    """Have the three streams as 0, 1 and 2, what is `kept`, and nothing else."""
    for number, descriptor in enumerate(streams):  # all of ours lie above
        posix.dup2(descriptor, number)
    free = 3
    for descriptor in sorted(kept):
        posix.closerange(free, descriptor)
        free = descriptor + 1
    posix.closerange(free, _HIGHEST)
    for number in range(1, _signal.NSIG):
        try:
            if number in _RESTORED or callable(_signal.getsignal(number)):
                _signal.signal(number, _signal.SIG_DFL)
        except (OSError, ValueError):
            continue  # KILL, STOP and the C library's own
    _signal.pthread_sigmask(_signal.SIG_SETMASK, ())


def confine(rlimits: "list[tuple[int, int, int]]", program: bytes, hand: "Hand | None" = None) -> None:
    """Set limits, give up every capability, and put the filter on, told of by `hand`: each needs the one before."""
    set_limits(rlimits)
    syscalls.give_up()
    if hand is None:
        syscalls.set_filter(program)
    else:
        hand.put_on(program)


def _report(descriptor: int, error: BaseException) -> None:
    number = error.errno if isinstance(error, OSError) and error.errno else 0
    text = error.strerror if number and isinstance(error, OSError) else str(error) or type(error).__name__
    posix.write(descriptor, f"!{number} {text}\n".encode(errors="replace")[:500])
