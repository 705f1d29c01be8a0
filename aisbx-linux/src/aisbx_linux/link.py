"""Two connected sockets of which each is told what the other has: what waits is bounded, and nobody is waited for."""

import selectors
import socket

_CHUNK = 1 << 16


class _Way:
    """One direction of a connection: at most a chunk waits, and the end of one side is passed on to the other."""

    __slots__ = ("_data", "_ended", "done", "source", "target")

    def __init__(self, source: socket.socket, target: socket.socket) -> None:
        self.source = source
        self.target = target
        self.done = False
        self._data = b""
        self._ended = False

    @property
    def reads(self) -> bool:
        return not self._data and not self._ended

    @property
    def writes(self) -> bool:
        return bool(self._data)

    def read(self) -> None:
        """Take what has come. OSError where the connection is broken."""
        self._data = self.source.recv(_CHUNK)
        if not self._data:
            self._ended = self.done = True
            self.target.shutdown(socket.SHUT_WR)

    def write(self) -> None:
        """Pass on what can be. OSError where the connection is broken."""
        self._data = self._data[self.target.send(self._data) :]


class Link:
    """A connection of the host's and its counterpart inside."""

    def __init__(self, selector: selectors.BaseSelector, client: socket.socket, server: socket.socket) -> None:
        self._selector = selector
        self._sides = (client, server)
        self._ways = (_Way(client, server), _Way(server, client))
        self._wanted = [0, 0]
        self._over = False
        for side in self._sides:
            side.settimeout(0)
        self._register()

    def serve(self, side: object, ready: int) -> bool:
        """Do what can be done on one side; False when the connection is over, as it may be since it was looked at."""
        if self._over:
            return False
        try:
            for way in self._ways:
                if way.source is side and ready & selectors.EVENT_READ and way.reads:
                    way.read()
                if way.target is side and ready & selectors.EVENT_WRITE and way.writes:
                    way.write()
        except BlockingIOError:
            pass
        except OSError:
            self.close()
            return False
        if all(way.done for way in self._ways):
            self.close()
            return False
        self._register()
        return True

    def close(self) -> None:
        """Close both sides; may be called twice."""
        if self._over:
            return
        self._over = True
        for index, side in enumerate(self._sides):
            if self._wanted[index]:
                self._selector.unregister(side)
            side.close()

    def _register(self) -> None:
        for index, side in enumerate(self._sides):
            wanted = 0
            for way in self._ways:
                if way.source is side and way.reads:
                    wanted |= selectors.EVENT_READ
                if way.target is side and way.writes:
                    wanted |= selectors.EVENT_WRITE
            if wanted == self._wanted[index]:
                continue
            if not wanted:
                self._selector.unregister(side)
            elif self._wanted[index]:
                self._selector.modify(side, wanted, self)
            else:
                self._selector.register(side, wanted, self)
            self._wanted[index] = wanted
