"""Where those who join a sandbox bring their listeners: what watching one and learning from one have in common."""

import posix
import select
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, TypeVar

from aisbx_linux.lasting.identity import open_process, send_to
from aisbx_linux.message import receive
from aisbx_linux.watching.notify import Listener

if TYPE_CHECKING:
    from aisbx_linux.lasting.identity import Born, Held

_WAITING, _MESSAGE = 64, 128
_KILL = 9

L = TypeVar("L", bound=Listener)
Call = tuple[int, int, int, Sequence[int]]
"""As `Listener.receive` gives one: its id, thread, number and arguments."""


class Reception(Generic[L]):
    """The door of one sandbox and the listeners that came through it; whoever derives from it answers them."""

    def __init__(self, held: "Held", owner: "Born | None", home: str, name: str) -> None:
        """Open a socket of that name in a private directory; OSError where the sandbox or its owner has gone."""
        try:
            self._first = open_process(held["first"])
            self._owner = open_process(owner) if owner else -1
        except ProcessLookupError:
            raise OSError("the sandbox has ended") from None
        self._held = held
        self._door = _opened(home, name)
        self._poller = select.epoll()
        self._connections: dict[int, socket.socket] = {}
        self._listeners: dict[int, L] = {}
        for descriptor in (self._first, self._door.fileno(), *([self._owner] if self._owner >= 0 else [])):
            self._poller.register(descriptor, select.EPOLLIN)

    def _made(self, listener: int, said: bytes) -> L:
        """Take a listener that came with these words."""
        raise NotImplementedError

    def _said(self, connection: socket.socket, said: bytes) -> None:
        """Hear what was said through a connection, nothing at its end."""

    def _heard(self, listener: L, call: Call) -> None:
        """Answer a call."""
        raise NotImplementedError

    def _serve(self, patience: float | None = None) -> bool:
        """Serve what there is, or wait so many seconds; False once the sandbox has ended. Its owner's end ends it."""
        for descriptor, events in self._poller.poll(patience):
            if descriptor in self._listeners:
                self._notified(self._listeners[descriptor], events)
            elif descriptor in self._connections:
                self._take(descriptor)
            elif descriptor == self._door.fileno():
                self._accept()
            elif descriptor == self._owner:
                self._end()
                self._poller.unregister(descriptor)
            else:
                return False
        return True

    def _end(self) -> None:
        send_to(self._held["tool"], _KILL)

    def _accept(self) -> None:
        with suppress(OSError):  # who connected has gone
            connection, _ = self._door.accept()
            self._connections[connection.fileno()] = connection
            self._poller.register(connection.fileno(), select.EPOLLIN)

    def _take(self, descriptor: int) -> None:
        connection = self._connections[descriptor]
        said, rights = receive(connection, _MESSAGE)
        for number in rights:
            self._listeners[number] = self._made(number, said)
            self._poller.register(number, select.EPOLLIN)
        self._said(connection, said)
        if not said:
            self._poller.unregister(descriptor)
            self._connections.pop(descriptor).close()

    def _notified(self, listener: L, events: int) -> None:
        if not events & select.EPOLLIN:  # nobody has the filter any more
            self._poller.unregister(listener.fileno())
            self._listeners.pop(listener.fileno()).close()
            return
        received = listener.receive()
        if received is not None:
            self._heard(listener, received)


def _opened(home: str, name: str) -> socket.socket:
    """Listen in a private directory for those who join the sandbox."""
    directory = posix.open(home, posix.O_PATH | posix.O_DIRECTORY | posix.O_CLOEXEC)
    try:
        with suppress(FileNotFoundError):
            posix.unlink(name, dir_fd=directory)
        door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, 0)
        door.bind(f"/proc/self/fd/{directory}/{name}")
        door.listen(_WAITING)
    finally:
        posix.close(directory)
    return door
