"""Filters that notify where others give an errno, and the listeners of them (seccomp_unotify(2)). Builtin modules only.

The kernel asks the listener about a call that the filter would have refused, and the answer here is always the errno
that it would have got: what is not answered, since nobody listens any more, fails with ENOSYS. Nothing here can tell
the kernel to go on with a call (SECCOMP_USER_NOTIF_FLAG_CONTINUE).
"""

import fcntl
import posix

from aisbx_linux import syscalls

NUMBERS = {"x86_64": 317, "aarch64": 277}
"""Machine → number of seccomp(2)."""
_SET_MODE_FILTER, _GET_ACTION_AVAIL, _NEW_LISTENER = 1, 2, 8
_RETURN, _CLASS = 0x06, 0xFFFF_0000
_RET_ERRNO, _RET_USER_NOTIF = 0x0005_0000, 0x7FC0_0000
_INSTRUCTION = 8
# struct seccomp_notif, struct seccomp_notif_resp, and requests made of their sizes (asm-generic/ioctl.h, magic '!').
_NOTIFICATION, _RESPONSE = 80, 24
_RECEIVE = 0xC000_0000 | _NOTIFICATION << 16 | 0x2100
_SEND = 0xC000_0000 | _RESPONSE << 16 | 0x2101
_ID_VALID = 0x4000_0000 | 8 << 16 | 0x2102
_EMPTY = bytes(_NOTIFICATION)
_NO_ENTRY = 2
_NO_CALL = 38  # ENOSYS


def available() -> bool:
    """Tell whether this kernel has user notification (Linux 5.0), on a machine that is known here."""
    number = NUMBERS.get(posix.uname().machine)
    action = _RET_USER_NOTIF.to_bytes(4, "little")
    return number is not None and syscalls.call("syscall", number, _GET_ACTION_AVAIL, 0, action) == 0


def notifying(program: bytes, *, probes: bool) -> bytes:
    """Give a compiled filter that notifies wherever this one gives an errno; what ends the process does so still.

    Without `probes`, what it answers as if the kernel did not have the call is answered so still: libraries try those
    calls and do without, glibc one of them for each thread.
    """
    made = bytearray(program)
    for place in range(0, len(program), _INSTRUCTION):
        code = int.from_bytes(program[place : place + 2], "little")
        value = int.from_bytes(program[place + 4 : place + 8], "little")
        if code == _RETURN and value & _CLASS == _RET_ERRNO and (probes or value != _RET_ERRNO | _NO_CALL):
            made[place + 4 : place + 8] = _RET_USER_NOTIF.to_bytes(4, "little")
    return bytes(made)


def listen(program: bytes) -> int:
    """Put a program on this process and all that comes of it, and give its listener, closed on exec; OSError else."""
    described, kept = syscalls.describe(program)
    number = NUMBERS[posix.uname().machine]
    listener = syscalls.call("syscall", number, _SET_MODE_FILTER, _NEW_LISTENER, described)
    if listener < 0:
        raise OSError("a system-call filter with a listener was refused: is this process watched by another already?")
    del kept
    return listener


class Listener:
    """A listener; each call that comes of it is answered with an errno, and nothing else."""

    __slots__ = ("_buffer", "_number", "run")

    def __init__(self, number: int, run: str) -> None:
        """Take the descriptor; `run` is what the filter was put on for."""
        self._number = number
        self._buffer = bytearray(_NOTIFICATION)
        self.run = run

    def fileno(self) -> int:
        """Give the descriptor: readable with a call that waits, hung up once no process has the filter any more."""
        return self._number

    def receive(self) -> "tuple[int, int, int, memoryview[int]] | None":
        """Give id, pid of the thread, number and arguments of a call that waits; None where it has gone meanwhile."""
        buffer = self._buffer
        buffer[:] = _EMPTY
        try:
            fcntl.ioctl(self._number, _RECEIVE, buffer)
        except OSError as error:
            if error.errno == _NO_ENTRY:
                return None
            raise
        words = memoryview(bytes(buffer)).cast("Q")
        return words[0], words[1] & 0xFFFF_FFFF, words[2] & 0xFFFF_FFFF, words[4:]

    def waits(self, call: int) -> bool:
        """Tell whether a call still waits: only then what was read of its process's memory is that process's."""
        try:
            fcntl.ioctl(self._number, _ID_VALID, call.to_bytes(8, "little"))
        except OSError:
            return False
        return True

    def refuse(self, call: int, errno: int) -> None:
        """Have a call fail with an errno (1 to 4095); nothing happens where it waits no more."""
        answer = call.to_bytes(8, "little") + bytes(8) + (-errno).to_bytes(4, "little", signed=True) + bytes(4)
        try:
            fcntl.ioctl(self._number, _SEND, answer)
        except OSError as error:
            if error.errno != _NO_ENTRY:
                raise

    def close(self) -> None:
        """Listen no more: what still has the filter gets ENOSYS."""
        posix.close(self._number)
