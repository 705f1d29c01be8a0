"""The proxy: all connections of one sandbox, those that ask for it and those that went to a name's address."""

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import Callable

from aisbx.types import SYNTHETIC

from aisbx_egress.answer import sorry
from aisbx_egress.connection import Connection
from aisbx_egress.peer import Peer
from aisbx_egress.places import Places
from aisbx_egress.resolver import Resolver
from aisbx_egress.rules import Request
from aisbx_egress.session import Session

_BACKLOG = 512
_EVERY = 1.0
"""Seconds between two looks at what is idle, too long, or no longer allowed."""
_AT_ONCE = struct.pack("ii", 1, 0)
"""SO_LINGER: a connection that is closed is reset (socket(7))."""


class Proxy:
    """All connections of one sandbox."""

    def __init__(self, session: Session, block: str = SYNTHETIC) -> None:
        """Serve nothing yet; `block` is where the addresses of names are from."""
        self._block = block
        self.session = session
        self.places: Places | None = None
        self._connections: set[Connection] = set()
        self._serving: list[asyncio.Server | asyncio.BaseTransport] = []
        self._opening: set[asyncio.Task[None]] = set()

    async def serve(
        self,
        listener: socket.socket,
        datagrams: socket.socket | None = None,
        queries: socket.socket | None = None,
        *spare: socket.socket,
    ) -> None:
        """Serve what `aisbx.types.EgressSockets` names until this is cancelled; names only with `datagrams`."""
        await self._listen(listener, self._accept)
        if datagrams is not None and queries is not None:
            self.places = Places(list(spare), self._wait, self._block)
            self._serving += await Resolver(self.session, self.places).serve(datagrams, queries)
        try:
            while True:
                await asyncio.sleep(_EVERY)
                self._sweep()
        finally:
            for each in self._serving:
                each.close()
            for connection in list(self._connections):
                connection.close()

    def forget(self, connection: Connection) -> None:
        """Count a connection no more."""
        self._connections.discard(connection)

    async def _listen(self, listener: socket.socket, accept: Callable[[Peer], None]) -> None:
        loop = asyncio.get_running_loop()
        self._serving.append(await loop.create_server(lambda: Peer(accept), sock=listener, backlog=_BACKLOG))

    def _wait(self, place: socket.socket) -> None:
        task = asyncio.get_running_loop().create_task(self._listen(place, self._direct))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    def _accept(self, client: Peer) -> None:
        if reason := self._full():
            client.write(sorry("503 Too many connections", reason))
            client.transport.close()
            return
        self._begin(client, None)

    def _direct(self, client: Peer) -> None:
        """Serve who came to where a name leads; elsewhere on such a port there is nobody."""
        host, port = client.transport.get_extra_info("sockname")
        name = self.places.name(host) if self.places is not None else ""
        if not name or self._full():
            client.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            client.transport.abort()
            return
        self._begin(client, Request(name, port))

    def _full(self) -> str:
        """Give, and report, why there can be no more connections; empty where there can."""
        most = self.session.limits.connections
        if len(self._connections) < most:
            return ""
        reason = f"the sandbox has {most} connections already"
        self.session.malformed("accept", reason)
        return reason

    def _begin(self, client: Peer, meant: Request | None) -> None:
        with contextlib.suppress(OSError):
            client.transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connections.add(Connection(self, client, meant))

    def _sweep(self) -> None:
        now = time.monotonic()
        for connection in list(self._connections):
            if reason := connection.overdue(now):
                self.session.malformed("close", reason)
                connection.close()
