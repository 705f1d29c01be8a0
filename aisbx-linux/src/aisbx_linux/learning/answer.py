"""The listener of a filter that records: on with what the original filter allows, its errno for all else.

Nothing is decided here: the original program is carried out on the number and the six registers of the call, as the
kernel gave them to the filter, and it looks at nothing else. So a call goes on only if that program allows it, and what
a process does to its memory meanwhile changes no answer (seccomp_unotify(2) on SECCOMP_USER_NOTIF_FLAG_CONTINUE).
"""

import errno
import fcntl
from collections.abc import Sequence

from aisbx_linux.seccomp import bpf
from aisbx_linux.seccomp.arguments import CHECKS
from aisbx_linux.watching.notify import Listener

_SEND = 0xC000_0000 | 24 << 16 | 0x2101  # SECCOMP_IOCTL_NOTIF_SEND
_GO_ON = 1
_ERRNO = 0xFFFF


class Going(Listener):
    """A listener that can also have a call go on."""

    __slots__ = ()

    def go_on(self, call: int) -> None:
        """Have a call carried out by the kernel; nothing happens where it waits no more."""
        answer = call.to_bytes(8, "little") + bytes(12) + _GO_ON.to_bytes(4, "little")
        try:
            fcntl.ioctl(self._number, _SEND, answer)
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise


class Original:
    """What the filter would have answered without anybody listening."""

    def __init__(self, program: bytes, arch: int, names: dict[int, str], recorded: Sequence[int]) -> None:
        """Take the filter; `recorded` are the only calls that may go on: no other was told of."""
        self._program = bpf.decode(program)
        self._arch = arch
        self._checked = {number for number, name in names.items() if name in CHECKS}
        self._recorded = frozenset(recorded)
        self._plain: dict[int, int] = {}

    def errno(self, number: int, values: Sequence[int]) -> int:
        """Give the errno that a call is to have, 0 where it is to go on."""
        known = self._plain.get(number)
        if known is not None:
            return known
        answer = bpf.run(self._program, number, self._arch, values)
        if answer == bpf.RET_ALLOW:
            found = 0 if number in self._recorded else errno.EPERM
        else:
            found = answer & _ERRNO or errno.EPERM
        if number not in self._checked and number in self._recorded:
            self._plain[number] = found
        return found
