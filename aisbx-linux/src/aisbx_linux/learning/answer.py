"""The listener of a filter that records: on with what the original filter allows, its errno for all else.

Nothing is decided here: the original program is carried out (`watching.refused.Answers`) on the number and the six
registers of the call, as the kernel gave them to the filter, and it looks at nothing else. So a call goes on only if
that program allows it, and what a process does to its memory meanwhile changes no answer (seccomp_unotify(2) on
SECCOMP_USER_NOTIF_FLAG_CONTINUE).
"""

import errno
import fcntl

from aisbx_linux.watching.notify import Listener

_SEND = 0xC000_0000 | 24 << 16 | 0x2101  # SECCOMP_IOCTL_NOTIF_SEND
_GO_ON = 1


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
