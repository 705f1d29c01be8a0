"""The least there is: chroot(2), an uid of the run's own, no privileges. For machines that give root no namespaces.

A process of root's stands between: it starts the command, and ends all that has the run's uid, when the command has
ended or who started the tool has. Nothing inside may send it a signal. Builtin modules only.
"""

import posix
import time

from aisbx_linux import syscalls
from aisbx_linux.confine.options import Options
from aisbx_linux.processes import leave

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable

if not TYPE_CHECKING:
    import _signal

_PARENT_ENDED = 10  # SIGUSR1
_PDEATHSIG, _SUBREAPER = 1, 36
_UIDS = 1 << 22
"""As `aisbx_linux.spawn.UIDS`: each live process has a number of its own below that."""
_DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9)}
"""Name → numbers, by the kernel's Documentation/admin-guide/devices.txt."""
_CHARACTER = 0o020666
_EPERM = 1
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
# socket, semget, msgget, shmget, shmat, mq_open, chroot (syscall_64.tbl; asm-generic/unistd.h)
_CLOSED = {"x86_64": (41, 64, 68, 29, 30, 240, 161), "aarch64": (198, 190, 186, 194, 196, 180, 51)}
"""What namespaces hold elsewhere: ways to the network, sockets of the host's, and the host's own IPC."""
_KEEP_CAPABILITIES, _VERSION_3 = 8, 0x20080522
_KEPT = (6, 7, 24)  # CAP_SETGID, CAP_SETUID; CAP_SYS_RESOURCE, for the limit on tasks is set on this process too
_TRIES, _PAUSE = 500, 0.01
_KILLED, _BASE, _STREAMS, _KIND = 137, 128, 3, 0o170000


class _Ended(Exception):  # noqa: N818 - it is no error
    """Who started the tool has ended."""


def stand(options: Options, above: int, before: "Callable[[], bytes]", run: "Callable[[int, bytes], None]") -> None:
    """Be the process in between, until nothing of the run is left; ends with the code of the command.

    `above` started this one. `before` waits at the gate and gives the filter; `run` gets uid and filter, becomes the
    command, and never returns or raises.
    """
    _signal.signal(_PARENT_ENDED, _on_end)
    syscalls.call("prctl", _PDEATHSIG, _PARENT_ENDED, 0, 0, 0)
    syscalls.call("prctl", _SUBREAPER, 1, 0, 0, 0)
    uid = own_uid(options)
    code = _KILLED
    try:
        _devices(options.values["--chroot"])
        filter_ = before()
        if posix.getppid() != above:
            _on_end()
        if not (command := posix.fork()):
            _signal.signal(_PARENT_ENDED, _signal.SIG_DFL)
            run(uid, filter_)
        posix.closerange(0, _STREAMS)
        _keep_little(options, above)
        code = _outcome(command)
    except _Ended:
        pass
    finally:
        _signal.signal(_PARENT_ENDED, _signal.SIG_IGN)
        _end(uid)
    leave(code)


def _keep_little(options: Options, above: int) -> None:
    """Be root no longer, and keep what it takes to become the run's user once more, to end all that is theirs."""
    uid, gid = options.owner or (0, 0)
    syscalls.call("prctl", _KEEP_CAPABILITIES, 1, 0, 0, 0)
    posix.setgroups([])
    posix.setresgid(gid, gid, gid)
    posix.setresuid(uid, uid, uid)
    if not any(_set_capabilities(kept) for kept in (_KEPT, _KEPT[:2])):  # root in a container may lack the last
        raise OSError("giving up capabilities was refused")
    syscalls.call("prctl", _PDEATHSIG, _PARENT_ENDED, 0, 0, 0)  # undone by another uid
    if posix.getppid() != above:
        _on_end()


def _set_capabilities(kept: "tuple[int, ...]") -> bool:
    mask = sum(1 << capability for capability in kept).to_bytes(4, "little")
    header = _VERSION_3.to_bytes(4, "little") + bytes(4)
    # struct __user_cap_data_struct, twice: effective, permitted, inheritable.
    return syscalls.call("syscall", syscalls.NUMBERS[posix.uname().machine][1], header, mask + mask + bytes(16)) == 0


def own_uid(options: Options) -> int:
    """Give the uid of the run that this process stands for: nobody else has it while it lives."""
    return (options.owner or (0, 0))[0] + posix.getpid() % _UIDS


def _on_end(*_: object) -> None:
    raise _Ended


def _devices(root: str) -> None:
    """See that the devices are there that every program expects; OSError where one can't be made.

    What filled the root directory may have made a link of `dev`, which leads out of it here.
    """
    place = posix.open(f"{root}/dev", posix.O_PATH | posix.O_DIRECTORY | posix.O_NOFOLLOW | posix.O_CLOEXEC)
    for name, (major, minor) in _DEVICES.items():
        try:
            found = posix.lstat(name, dir_fd=place)
            if (found.st_mode & _KIND, found.st_rdev) == (_CHARACTER & _KIND, major << 8 | minor):
                continue
            posix.unlink(name, dir_fd=place)
        except FileNotFoundError:
            pass
        usual = posix.umask(0)
        try:
            posix.mknod(name, _CHARACTER, major << 8 | minor, dir_fd=place)
        finally:
            posix.umask(usual)
    posix.close(place)


def enter(options: Options, above: int, uid: int, filter_: bytes) -> None:
    """Go into the root directory, become `uid`, and give up all else; OSError where the kernel refuses.

    `above` is the process in between, with which this one ends.
    """
    posix.chroot(options.values["--chroot"])
    posix.chdir("/")
    syscalls.narrow()
    posix.setgroups([])
    posix.setresgid(uid, uid, uid)
    posix.setresuid(uid, uid, uid)
    syscalls.die_with_parent()
    if posix.getppid() != above:
        raise OSError("who started it has ended")
    syscalls.give_up()
    syscalls.set_filter(closed(posix.uname().machine))
    if filter_:
        syscalls.set_filter(filter_)


def _outcome(command: int) -> int:
    """Take what becomes of all that is left to this process until the command has ended; gives its code."""
    while True:
        ended, status = posix.waitpid(-1, 0)
        if ended == command:
            code = posix.waitstatus_to_exitcode(status)
            return _BASE - code if code < 0 else code


def _end(uid: int) -> None:
    """End all that has the uid. What forks meanwhile is ended too: a signal that comes during fork(2) restarts it."""
    for _ in range(_TRIES):
        try:
            child = posix.fork()
        except OSError:  # the run's own limit on tasks is this process's, too, and where root may not lift it, it holds
            _kill_as(uid)
        else:
            if not child:
                try:
                    posix.setresgid(uid, uid, uid)
                    posix.setresuid(uid, uid, uid)
                    posix.kill(-1, 9)
                finally:
                    leave(0)
            posix.waitpid(child, 0)
        try:
            while posix.waitpid(-1, posix.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass
        try:
            posix.getpriority(posix.PRIO_USER, uid)
        except ProcessLookupError:
            return  # nobody has it
        time.sleep(_PAUSE)


def _kill_as(uid: int) -> None:
    """Be the run's user for as long as it takes to end all others of it; then they could end this one, too."""
    own = posix.getresuid()
    posix.setresuid(uid, uid, own[2])
    try:
        posix.kill(-1, 9)
    except ProcessLookupError:
        pass  # there are none
    finally:
        posix.setresuid(*own)


def closed(machine: str, more: "tuple[int, ...]" = ()) -> bytes:
    """Give the filter of `_CLOSED` and of `more` numbers of calls."""
    numbers = (*_CLOSED[machine], *more)

    def step(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
        return code.to_bytes(2, "little") + bytes((yes, no)) + value.to_bytes(4, "little")

    allow, refuse = 0x7FFF0000, 0x00050000 | _EPERM
    program = [step(_LOAD, 4), step(_EQUAL, _ARCHITECTURES[machine], 1), step(_RETURN, refuse), step(_LOAD, 0)]
    for place, number in enumerate(numbers):
        program.append(step(_EQUAL, number, len(numbers) - place))
    return b"".join([*program, step(_RETURN, allow), step(_RETURN, refuse)])
