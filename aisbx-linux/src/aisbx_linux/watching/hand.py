"""How a listener gets to the process that watches: over a socket in the sandbox's private directory.

Builtin modules only.

It is connected to on the host, before the sandbox is joined; what has put the filter on sends the listener and
keeps nothing. The socket's path is reached by its directory's descriptor: the name of a socket is short (unix(7)).
"""

import posix

from aisbx_linux.lasting.join import JoinError
from aisbx_linux.message import send
from aisbx_linux.watching import notify

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    import select as _select

    from aisbx_linux.lasting.identity import Held
else:
    import _socket  # the C module: `socket` costs milliseconds for its enumerations

SOCKET = "watch"
"""Its name in the sandbox's home."""
NO_RUN = b"-"
"""Sent where a filter is put on for many commands."""
_PATIENCE = 10.0


def hand_of(held: "Held", run: str) -> "Hand":
    """Connect to who gets the listener of a sandbox's filter: who observes it, or who watches it; JoinError: nobody."""
    if held["record"] is not None:
        from aisbx_linux.learning.hand import connect as observed

        home, _, numbers = held["record"]
        return observed(home, numbers)
    assert held["watch"] is not None  # noqa: S101 - who asks knows
    return connect(held["watch"][0], run, probes=held["watch"][2])


def connect(home: str, run: str, *, probes: bool) -> "Hand":
    """Connect to who watches the sandbox that has this home; JoinError where nobody does. See `Hand`."""
    try:
        return Hand(home, run, probes=probes)
    except OSError:
        raise JoinError(0, "nobody watches the sandbox any more: open it again") from None


def listened(home: str) -> bool:
    """Tell whether somebody watches the sandbox that has this home."""
    try:
        Hand(home, "", probes=False).close()
    except OSError:
        return False
    return True


class Hand:
    """A connection to who watches a sandbox."""

    __slots__ = ("_probes", "_run", "_socket", "_waiting")

    def __init__(self, home: str, run: str, *, probes: bool) -> None:
        """Connect; `run` is told with each call, `probes` is as of `notify.notifying`. OSError: nobody is there."""
        self._probes = probes
        self._waiting: _select.poll | None = None
        directory = posix.open(home, posix.O_PATH | posix.O_DIRECTORY | posix.O_CLOEXEC)
        self._socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC, 0)
        self._run = run.encode()
        try:
            self._socket.settimeout(_PATIENCE)
            self._socket.connect(f"/proc/self/fd/{directory}/{SOCKET}")
            self._socket.settimeout(None)
        except OSError:
            self._socket.close()
            raise
        finally:
            posix.close(directory)

    def fileno(self) -> int:
        """Give the connection's descriptor, which ends with who watches."""
        return self._socket.fileno()

    def put_on(self, program: bytes) -> None:
        """Put a filter on this process that notifies, hand its listener over, and keep nothing; OSError else."""
        program = notify.notifying(program, probes=self._probes)
        listener = notify.listen(program)
        send(self._socket, self._run or NO_RUN, (listener,))
        posix.close(listener)
        self._socket.close()

    def gone(self) -> bool:
        """Tell whether who watches has ended."""
        waiting = self._waiting
        if waiting is None:  # each command asks
            from select import POLLIN, poll

            waiting = self._waiting = poll()
            waiting.register(self._socket.fileno(), POLLIN)
        return bool(waiting.poll(0))

    def close(self) -> None:
        """Let go."""
        self._socket.close()
