"""A pty of the sandbox's own for a command that joins it: only that one has a name inside. Builtin modules only.

It is opened by the child that has joined, in the file system of ptys that the sandbox has, by the path of that mount:
nothing inside can put another file there, for a mount point can't be renamed or removed where it is one (rename(2),
EBUSY). What it opened is looked at all the same. The master is handed out over a socket that no command has.
"""

import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
else:
    import _socket  # the C module: `socket` costs milliseconds for its enumerations

_MASTERS = "/dev/pts/ptmx"
_CHARACTER, _FORMAT = 0o020000, 0o170000
_PTMX = (5, 2)
"""Its device number, the same in every instance (Documentation/admin-guide/devices.txt)."""
_LOCK, _PEER = 0x40045431, 0x5441
"""TIOCSPTLCK and TIOCGPTPEER (ioctl_tty(2))."""
_FLAGS = posix.O_RDWR | posix.O_NOCTTY | posix.O_CLOEXEC
_DESCRIPTOR = 4


class Terminal:
    """The two sides of a command's pty: `master` is here once the command has been started."""

    __slots__ = ("_inside", "_outside", "_size", "master")

    def __init__(self, size: bytes) -> None:
        """`size` is a struct winsize; empty leaves it unset."""
        self.master = -1
        self._size = size
        self._outside: _socket.socket | None = None
        self._inside: _socket.socket | None = None

    def prepare(self) -> None:
        """Make the way on which the master comes out, before the fork."""
        self._outside, self._inside = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)

    def open_inside(self) -> int:
        """Open the pty, in the child that has joined; hand its master out, give the slave. OSError where it can't."""
        import fcntl
        import termios

        try:
            master = posix.open(_MASTERS, _FLAGS | posix.O_NOFOLLOW | posix.O_NONBLOCK)
        except OSError as error:
            raise OSError(f"the sandbox has no terminals: {_MASTERS}: {error.strerror}") from None
        found = posix.fstat(master)
        if found.st_mode & _FORMAT != _CHARACTER or (posix.major(found.st_rdev), posix.minor(found.st_rdev)) != _PTMX:
            raise OSError(f"the sandbox has no terminals: {_MASTERS} is something else")
        posix.set_blocking(master, True)
        if self._size:
            fcntl.ioctl(master, termios.TIOCSWINSZ, self._size)
        fcntl.ioctl(master, _LOCK, bytes(4))
        slave = fcntl.ioctl(master, _PEER, _FLAGS)
        if self._inside is not None:
            rights = (_socket.SOL_SOCKET, _socket.SCM_RIGHTS, master.to_bytes(_DESCRIPTOR, "little"))
            self._inside.sendmsg([b"m"], [rights])
        posix.close(master)
        return slave

    def take(self) -> None:
        """Take the master, of a command that was started."""
        if self._outside is None:
            return
        _, ancillary, _, _ = self._outside.recvmsg(1, _socket.CMSG_SPACE(_DESCRIPTOR), _socket.MSG_CMSG_CLOEXEC)
        for level, kind, data in ancillary:
            if (level, kind) == (_socket.SOL_SOCKET, _socket.SCM_RIGHTS):
                self.master = int.from_bytes(data[:_DESCRIPTOR], "little")

    def close(self) -> None:
        """Close the way on which the master came; may be called twice."""
        for side in (self._inside, self._outside):
            if side is not None:
                side.close()


def size_of(terminal: int) -> bytes:
    """Give the size of a terminal as a struct winsize; empty where it is none."""
    import fcntl
    import termios

    try:
        return fcntl.ioctl(terminal, termios.TIOCGWINSZ, bytes(8))
    except OSError:
        return b""
