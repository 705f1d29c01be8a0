"""Make namespaces and a root, give up all privileges, wait for the filter, and become the command.

It is started by `aisbx_linux.spawn` as an interpreter that is given this code to read, and takes the options of
bubblewrap that plans use; the order of a launch is that of `aisbx_linux.launch`. Whatever goes wrong is told on stderr
with `confine: ` before it, and then nothing has run. Builtin modules only.
"""

import posix

from aisbx_linux import syscalls
from aisbx_linux.confine import plain
from aisbx_linux.confine.options import NEWNET, NEWUSER, Options, asked, read_all
from aisbx_linux.confine.root import make
from aisbx_linux.processes import leave, put, write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal

if not TYPE_CHECKING:
    import _signal  # the C module: `signal` costs milliseconds for its enumerations

_SIGCHLD, _INSTRUCTION = 17, 8
_DUMPABLE = 4
_HIGHEST = 1 << 20
_RESTORED = (2, 13, 25)  # SIGINT, SIGPIPE, SIGXFSZ: Python's own, where a command expects their defaults
_BASE = 128
_NO_ENTRY, _NOT_DIRECTORY, _NO_FORMAT = 2, 20, 8
_LOOPBACK, _SIOCSIFFLAGS, _UP = b"lo", 0x8914, 1


def main(words: "list[str]") -> None:
    """Carry the options out; this process stays, to tell on the status pipe how the command ended."""
    try:
        for number in _RESTORED:
            _signal.signal(number, _signal.SIG_DFL)
        options = asked(words)
        if options.die:
            syscalls.die_with_parent()
        _watch(options)
    except BaseException as error:  # noqa: BLE001 - whatever it is, who started us must hear of it
        _complain(error)
    finally:
        leave(1)


def _complain(error: BaseException) -> None:
    what = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    if isinstance(error, OSError) and isinstance(error.filename, str):
        what = f"{error.filename}: {what}"
    posix.write(2, f"confine: {what or type(error).__name__}\n".encode(errors="replace"))


def _watch(options: Options) -> None:
    """Start the first process, tell of it, wait for it, tell how it ended, and end as it did."""
    status = int(options.values.get("--json-status-fd", "-1"))
    ready, tell = posix.pipe2(posix.O_CLOEXEC)
    failed, fails = posix.pipe2(posix.O_CLOEXEC)
    who = posix.geteuid(), posix.getegid()
    own = posix.getpid()
    flags = _SIGCHLD if options.plain else options.flags | _SIGCHLD
    first = syscalls.call("syscall", syscalls.NUMBERS[posix.uname().machine][0], flags, 0, 0, 0, 0)
    if first == 0:
        try:
            if options.plain:
                _stand(options, own, tell, fails, status)
            else:
                _begin(options, who, tell, fails)
        except BaseException as error:  # noqa: BLE001 - the same
            _complain(error)
            posix.write(fails, b"!")
        finally:
            leave(1)
    if first < 0:
        msg = "making namespaces was refused"
        raise OSError(msg)
    # Only the command may hold the streams, and only this process the status pipe: its end is the launch's.
    _close_all_but(status, ready, failed)
    if options.owner is not None:
        _become(*options.owner, die=options.die)  # nothing is left for which this process would have to be root
    if read_all(ready) and status >= 0:
        write_all(status, b'{ "child-pid": %d }\n' % first)
    never_ran = read_all(failed)
    code = posix.waitstatus_to_exitcode(posix.waitpid(first, 0)[1])
    code = _BASE - code if code < 0 else code
    if status >= 0 and not never_ran:
        write_all(status, b'{ "exit-code": %d }\n' % code)
    leave(code)


def _begin(options: Options, who: "tuple[int, int]", tell: int, fails: int) -> None:
    """Be the sandbox's first process: make its root, wait for the filter at the gate, and let the command run."""
    import _socket

    if options.die:
        syscalls.die_with_parent()
    usual = posix.umask(0)
    proc = posix.open("/proc", posix.O_PATH | posix.O_DIRECTORY | posix.O_CLOEXEC)
    if options.flags & NEWUSER:
        # As its root: a file system of terminals needs one (fs/devpts/inode.c).
        _map(proc, (0, 0), who)
    if options.flags & NEWNET:
        _raise_loopback()
    if name := options.values.get("--hostname"):
        _socket.sethostname(name)
    make(options.steps, _terminal(), options.owner)
    if options.flags & NEWUSER:
        # In another user namespace than the one that owns the mounts: whatever it becomes in there, it can't undo them.
        syscalls.unshare(NEWUSER)
        given = (int(options.values.get(f"--{kind}", own)) for kind, own in zip(("uid", "gid"), who, strict=True))
        _map(proc, tuple(given), (0, 0))
    gate = int(options.values.get("--seccomp", "-1"))
    _close_all_but(0, 1, 2, gate, tell, fails)
    _start_in(options)
    if options.die:
        syscalls.die_with_parent()  # a change of user namespace may have undone that
    program = _wait(tell, gate)
    posix.umask(usual)
    if options.owner is not None:
        _become(*options.owner, die=options.die)
    # What runs inside has the same user: it must not look into this process, nor write to it (proc(5)).
    syscalls.call("prctl", _DUMPABLE, 0, 0, 0, 0)
    syscalls.give_up()
    if program:
        syscalls.set_filter(program)
    if not options.as_first and (command := posix.fork()):
        _close_all_but()
        _reap(command)
    _execute(options.command, options.environment)


def _raise_loopback() -> None:
    import _socket
    import fcntl

    any_socket = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
    # struct ifreq: a name of 16 bytes and the flags, in 40 bytes.
    fcntl.ioctl(any_socket.fileno(), _SIOCSIFFLAGS, _LOOPBACK.ljust(16, b"\0") + bytes((_UP,)).ljust(24, b"\0"))
    any_socket.close()


def _wait(tell: int, gate: int) -> bytes:
    """Say that all is ready, and wait for the filter, which is the gate; OSError where it never came."""
    posix.write(tell, b"1")
    posix.close(tell)
    program = read_all(gate) if gate >= 0 else b""
    if gate >= 0 and (not program or len(program) % _INSTRUCTION):
        msg = "the system-call filter never came"
        raise OSError(msg)
    return program


def _stand(options: Options, above: int, tell: int, fails: int, status: int) -> None:
    """Have the least there is; the status pipe stays open until nothing of the run is left."""
    gate = int(options.values.get("--seccomp", "-1"))
    _close_all_but(0, 1, 2, gate, tell, fails, status)

    stand = posix.getpid()

    def run(uid: int, filter_: bytes) -> None:
        try:
            plain.enter(options, stand, uid, filter_)
            _close_all_but(0, 1, 2, fails)
            _start_in(options)
            _execute(options.command, options.environment)
        except BaseException as error:  # noqa: BLE001 - the same
            _complain(error)
            posix.write(fails, b"!")
        finally:
            leave(1)

    def before() -> bytes:
        return _wait(tell, gate)

    plain.stand(options, above, before, run)


def _map(proc: int, inside: "tuple[int, ...]", outside: "tuple[int, int]") -> None:
    """Have this process's new user namespace know one uid and gid (user_namespaces(7))."""
    put("self/setgroups", "deny", proc)
    for kind, known, meant in zip(("uid", "gid"), inside, outside, strict=True):
        put(f"self/{kind}_map", f"{known} {meant} 1", proc)


def _become(uid: int, gid: int, *, die: bool) -> None:
    """Be somebody else than root for good, without a user namespace; OSError if the kernel refuses."""
    syscalls.narrow()
    posix.setgroups([])
    posix.setresgid(gid, gid, gid)
    posix.setresuid(uid, uid, uid)
    if die:
        syscalls.die_with_parent()  # undone by another uid too


def _terminal() -> str:
    """Give the path of the pty that stdout is, empty if it is none, or none of this file system's."""
    try:
        return posix.ttyname(1) if posix.isatty(1) else ""
    except OSError:
        return ""


def _start_in(options: Options) -> None:
    place = options.values.get("--chdir", "/")
    try:
        posix.chdir(place)
    except OSError as error:
        msg = f"Can't chdir to {place}: {error.strerror}"
        raise OSError(msg) from None
    options.environment["PWD"] = place


def _reap(command: int) -> None:
    """Take what becomes of all that is left to this process, and end with the command, and as it did."""
    while True:
        ended, status = posix.waitpid(-1, 0)
        if ended == command:
            code = posix.waitstatus_to_exitcode(status)
            leave(_BASE - code if code < 0 else code)


def _execute(argv: "list[str]", environment: "dict[str, str]") -> None:
    """Become the program, looked for as execvp(3) does; OSError where none can be."""
    name = argv[0]
    places = (
        [""] if "/" in name else [f"{each or '.'}/" for each in environment.get("PATH", "/bin:/usr/bin").split(":")]
    )
    worst: OSError | None = None
    for place in places:
        try:
            posix.execve(f"{place}{name}", argv, environment)
        except OSError as error:
            if error.errno == _NO_FORMAT:
                posix.execve("/bin/sh", ["sh", f"{place}{name}", *argv[1:]], environment)
            if worst is None or error.errno not in {_NO_ENTRY, _NOT_DIRECTORY}:
                worst = error
    told = worst.strerror if worst is not None else "No such file or directory"
    msg = f"execvp {name}: {told}"
    raise OSError(msg)


def _close_all_but(*kept: int) -> None:
    before = -1
    for descriptor in (*sorted(each for each in kept if each >= 0), _HIGHEST):
        if descriptor > before + 1:  # an empty range would be one without an end
            posix.closerange(before + 1, descriptor)
        before = descriptor
