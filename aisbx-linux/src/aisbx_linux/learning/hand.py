"""How the listener of a filter that records gets to who observes. Builtin modules only; see `watching.hand`."""

import posix

from aisbx_linux.lasting.join import JoinError
from aisbx_linux.learning.filter import recording
from aisbx_linux.message import send
from aisbx_linux.watching import hand, notify

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
else:
    import _socket  # the C module: `socket` costs milliseconds for its enumerations

DOOR = "observe"
"""The name of the socket in the sandbox's home."""
_ARCHITECTURES = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}
_PATIENCE = 10.0


def reach(home: str) -> "_socket.socket":
    """Connect to who observes the sandbox that has this home; OSError where nobody does."""
    directory = posix.open(home, posix.O_PATH | posix.O_DIRECTORY | posix.O_CLOEXEC)
    made = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC, 0)
    try:
        made.settimeout(_PATIENCE)
        made.connect(f"/proc/self/fd/{directory}/{DOOR}")  # the name of a socket is short (unix(7))
        made.settimeout(None)
    except OSError:
        made.close()
        raise
    finally:
        posix.close(directory)
    return made


def connect(home: str, numbers: "list[int]") -> "Hand":
    """Connect to who observes; JoinError where nobody does."""
    try:
        return Hand(home, numbers)
    except OSError:
        raise JoinError(0, "nobody observes the sandbox any more: learn anew") from None


class Hand(hand.Hand):
    """A connection to who observes a sandbox."""

    __slots__ = ("_arch", "_numbers")

    def __init__(self, home: str, numbers: "list[int]") -> None:  # pyright: ignore[reportMissingSuperCall]  (another door)
        """Connect; the calls with these numbers are told of."""
        self._numbers = numbers
        self._arch = _ARCHITECTURES[posix.uname().machine]
        self._run = b"-"
        self._waiting = None
        self._socket = reach(home)

    def put_on(self, program: bytes) -> None:
        """Put the filter on this process, hand its listener over, and keep nothing; OSError else."""
        listener = notify.listen(recording(program, self._arch, self._numbers))
        send(self._socket, self._run, (listener,))
        posix.close(listener)
        self._socket.close()
