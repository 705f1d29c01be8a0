"""One connection: bounded in time, and on a Unix socket it is known who is at the other end (unix(7), SO_PEERCRED)."""

import asyncio
import socket
import struct
from typing import Protocol

from aisbx.hosting.connection import BoundedProtocol
from uvicorn.protocols.websockets.wsproto_impl import WSProtocol

PEER = "uid:"
"""How the address of a client begins that came by a Unix socket; its uid follows."""


class _Connected(Protocol):
    client: tuple[str, int] | None
    server: tuple[str, int | None] | None


def _note(connection: _Connected, transport: asyncio.Transport) -> None:
    found = transport.get_extra_info("socket")
    if found is not None and found.family == socket.AF_UNIX:
        pid, uid, _ = struct.unpack("3i", found.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        connection.client = (f"{PEER}{uid}", pid)
        connection.server = ("unix", None)


class Http(BoundedProtocol):
    """HTTP/1.1."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Note who it is."""
        super().connection_made(transport)
        _note(self, transport)


class WebSocket(WSProtocol):
    """What a connection becomes that asks for a WebSocket."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Note who it is."""
        super().connection_made(transport)
        _note(self, transport)
