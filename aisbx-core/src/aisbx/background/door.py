"""How others speak with a command's supervisor: a socket in the command's own directory. Builtin modules only.

Nothing in a sandbox can reach that directory, and only its owner may connect. A message is a letter, a length and so
many bytes; what the command prints is not sent, but read from its files: `MORE` only tells that there is more, so that
who reads slowly delays nobody and loses nothing.
"""

import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from collections.abc import Callable, Mapping

    from aisbx.types import Served
else:
    import _socket  # the C module: `socket` costs milliseconds and memory for its enumerations

SOCKET = "socket"
INPUT, END, SIZE, SIGNAL = b"i", b"e", b"w", b"s"
"""What is asked: bytes for the command, their end, `ROWS COLUMNS` for its pty, the number of a signal for all of it."""
MORE, DONE, REFUSED = b"m", b"d", b"r"
"""What is answered: there is more output; what was asked is done (of input: it was passed on); it can't be."""
HEAD = 5
LONGEST = 1 << 16
"""Bytes of one message."""
_MOST = 64
_BACKLOG = 16
_POLLIN = 1
_PEER = 12  # struct ucred


class Door:
    """The supervisor's end of the socket, and all who have come in."""

    def __init__(self, directory: int) -> None:
        """Listen in a directory, by its descriptor: a path may be longer than a socket's name can be."""
        self._listener = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
        self._listener.bind(f"/proc/self/fd/{directory}/{SOCKET}")
        self._listener.listen(_BACKLOG)
        self._listener.setblocking(False)  # noqa: FBT003 - positional only
        self._guests: dict[int, _Guest] = {}
        self.command: Served | None = None

    def steps(self) -> "Mapping[int, tuple[int, Callable[[], None]]]":
        """Give what is to be waited for."""
        command = self.command
        if command is None:
            return {}
        for guest in list(self._guests.values()):
            guest.settle(command)
        steps: dict[int, tuple[int, Callable[[], None]]] = {}
        if len(self._guests) < _MOST:
            steps[self._listener.fileno()] = (_POLLIN, self._let_in)
        for number, guest in self._guests.items():
            if not guest.waits:  # what it sends next could not be passed on yet
                steps[number] = (_POLLIN, guest.hear)
        return steps

    def tell(self) -> None:
        """Tell everybody that there is more output."""
        for guest in list(self._guests.values()):
            guest.say(MORE)

    def close(self) -> None:
        """Send everybody away."""
        for guest in list(self._guests.values()):
            guest.leave()
        self._listener.close()

    def _let_in(self) -> None:
        try:
            number = int(self._listener._accept()[0])  # noqa: SLF001  # pyright: ignore  (as `socket` does)
        except OSError:
            return
        came = _socket.socket(fileno=number)
        who = came.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, _PEER)
        if int.from_bytes(who[4:8], "little") not in {0, posix.geteuid()}:
            came.close()
            return
        came.setblocking(False)  # noqa: FBT003 - positional only
        self._guests[number] = guest = _Guest(came, self)
        guest.say(MORE)  # what was printed since it connected, nobody has told it

    def forget(self, number: int) -> None:
        """Know a guest no longer."""
        self._guests.pop(number, None)


class _Guest:
    """One who has come in."""

    def __init__(self, stream: "_socket.socket", door: Door) -> None:
        self._stream = stream
        self._door = door
        self._heard = b""
        self.waits = 0
        """Messages with input that is not passed on yet."""

    def hear(self) -> None:
        """Take what was sent, and do what is asked."""
        try:
            data = self._stream.recv(LONGEST)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        command = self._door.command
        if not data or command is None:
            self.leave()
            return
        self._heard += data
        while len(self._heard) >= HEAD:
            length = int.from_bytes(self._heard[1:HEAD], "little")
            if length > LONGEST:
                self.leave()
                return
            if len(self._heard) < HEAD + length:
                return
            kind, content = self._heard[:1], self._heard[HEAD : HEAD + length]
            self._heard = self._heard[HEAD + length :]
            self._do(kind, content, command)

    def _do(self, kind: bytes, content: bytes, command: "Served") -> None:
        if kind in {INPUT, END} and command.room >= 0:
            self.waits += 1
            if kind == INPUT:
                command.feed(content)
            else:
                command.end_input()
            return
        done = False
        try:
            numbers = [int(word) for word in content.split()]
            if kind == SIZE:
                command.resize(numbers[0], numbers[1])
                done = True
            elif kind == SIGNAL:
                command.signal_all(numbers[0])
                done = True
        except (ValueError, IndexError, OSError):
            done = False
        self.say(DONE if done else REFUSED)

    def settle(self, command: "Served") -> None:
        """Tell that input has been passed on, once it has, or that it never will be."""
        if self.waits and (command.room < 0 or not command.waiting):
            answer = REFUSED if command.waiting else DONE
            for _ in range(self.waits):
                self.say(answer)
            self.waits = 0

    def say(self, kind: bytes) -> None:
        """Send a message; who does not take it is sent away."""
        try:
            self._stream.send(kind)
        except BlockingIOError:
            if kind != MORE:  # there are such on their way already, and one is enough
                self.leave()
        except OSError:
            self.leave()

    def leave(self) -> None:
        """End the connection."""
        number = self._stream.fileno()
        if number >= 0:
            self._door.forget(number)
            self._stream.close()
