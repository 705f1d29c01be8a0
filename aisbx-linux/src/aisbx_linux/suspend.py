"""Stop a run as a shell stops a job, and let it go on. Imported when it happens; builtin modules only.

The command's processes are out of reach of the keys of the caller's terminal, and the kernel lets no key stop a process
group whose session has nobody who could continue it (POSIX, orphaned process group), which the command's is. So it is
done here. Everything inside is stopped before this process is: while it is, nobody minds the bounds of time and memory.
"""

import posix

from aisbx_linux.processes import foreground, send

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aisbx_linux.launch import Launch

if not TYPE_CHECKING:
    import _signal  # the C module: `signal` costs milliseconds for its enumerations
else:
    import signal as _signal

TSTP = 20
_CONT, _STOP = 18, 19
# A process that is being stopped makes no children, so each pass finds what the one before missed; many passes in
# which something is new mean that somebody makes them faster.
_PASSES = 64
_IDLE = (b"", b"T", b"t", b"Z", b"X")  # gone, stopped, traced, ended


def suspend(launch: "Launch") -> None:
    """Stop the command, then this process until somebody continues it (SIGCONT), then let the command go on.

    Where nobody could continue it, the kernel does not stop it, and the command goes on at once. Nothing is stopped
    where the processes inside become more faster than they can be stopped.
    """
    stopped = [] if launch.done else _stop_all(launch)
    if stopped is None:
        return
    handler = _signal.getsignal(TSTP)
    try:
        if launch.lent is not None:
            launch.lent.give_back()
        _signal.signal(TSTP, _signal.SIG_DFL)
        posix.kill(posix.getpid(), TSTP)
    finally:
        _signal.signal(TSTP, handler)
        if launch.lent is not None:
            launch.lent.continued()
        _continue(launch, stopped)


def _stop_all(launch: "Launch") -> "list[int] | None":
    """Stop the command's processes that are not; gives those, or None, with none of them stopped, if it can't."""
    stopped: list[int] = []
    for _ in range(_PASSES):
        fresh = [pid for pid in launch.members() if pid not in stopped and _state(pid) not in _IDLE]
        if not fresh:
            return stopped
        for pid in fresh:
            send(pid, _STOP)
        stopped += fresh
    _continue(launch, stopped)
    return None


def _continue(launch: "Launch", stopped: "list[int]") -> None:
    """Continue what we stopped, and the command's process group as a shell would."""
    command, members = launch.command(), launch.members()
    if command:
        for pid in {*stopped, *foreground(members, command)}.intersection(members):
            send(pid, _CONT)


def stopped_itself(launch: "Launch") -> bool:
    """Tell whether the command has been stopped, by itself or by others inside."""
    command = launch.command()
    return command > 0 and _state(command) == b"T"


def leaves_it(terminal: int, keys: bytes, launch: "Launch") -> bool:
    """Tell whether `keys`, typed on a pty, ask to stop a command that leaves this to the kernel.

    A command that catches or ignores the signal has it already, and so has a job of a shell inside.
    """
    import termios

    try:
        modes = termios.tcgetattr(terminal)
        key, literal = modes[6][termios.VSUSP], modes[6][termios.VLNEXT]
        if modes[3] & termios.IEXTEN:
            keys = keys.replace(literal + key, b"")
        command = launch.command()
        if not modes[3] & termios.ISIG or key == b"\0" or key not in keys or not command:
            return False
        if posix.tcgetpgrp(terminal) != posix.getpgid(command):
            return False
    except (OSError, termios.error):
        return False  # it has ended meanwhile
    return not any(map(_minds, foreground(launch.members(), command)))


def _state(pid: int) -> bytes:
    """Give a process's state (proc_pid_stat(5)), nothing if it is gone."""
    return _read(f"/proc/{pid}/stat").rpartition(b") ")[2][:1]


def _minds(pid: int) -> bool:
    """Tell whether a process catches or ignores what the key sends (proc_pid_status(5), SigCgt and SigIgn)."""
    rows = (row.split() for row in _read(f"/proc/{pid}/status").splitlines())
    return any(int(row[1], 16) >> TSTP - 1 & 1 for row in rows if row[:1] in ([b"SigCgt:"], [b"SigIgn:"]))


def _read(path: str) -> bytes:
    try:
        with open(path, "rb", buffering=0) as stream:
            return stream.read()
    except OSError:
        return b""
