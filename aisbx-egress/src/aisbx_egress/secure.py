"""TLS over a connection, on the side of either: the proxy is the server of the sandbox and the client of the server."""

import contextlib
import ssl

from aisbx_egress.peer import ClosedError, Peer

_PIECE = 1 << 16


class Secure:
    """What is said in a TLS connection. One task may read while another writes."""

    def __init__(self, peer: Peer, context: ssl.SSLContext, *, server_side: bool = False, name: str = "") -> None:
        """`name` is whom the server's certificate must be for."""
        self.wrote = False
        """Something was sent that is no part of the handshake."""
        self._peer = peer
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_side=server_side, server_hostname=name or None)

    async def handshake(self) -> None:
        """Agree with the other side; ssl.SSLError where it does not, ClosedError where it goes away."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._fed()
            except ssl.SSLError:
                self._flush()  # the alert
                raise
            else:
                self._flush()
                return

    async def read(self) -> bytes:
        """Give what came; empty once the other side has said that it is at its end. ClosedError where it went away."""
        while True:
            try:
                return self._tls.read(_PIECE)
            except ssl.SSLWantReadError:
                await self._fed()
            except ssl.SSLZeroReturnError:
                return b""
            except ssl.SSLError:
                self._flush()
                raise ClosedError from None

    async def write(self, data: bytes) -> None:
        """Send bytes, no faster than they are taken; ClosedError where nobody does any more."""
        self.wrote = True
        try:
            for at in range(0, len(data), _PIECE):
                self._tls.write(data[at : at + _PIECE])
                self._flush()
                await self._peer.drained()
        except ssl.SSLError:
            raise ClosedError from None

    def end(self) -> None:
        """Say that nothing follows."""
        with contextlib.suppress(ssl.SSLError):  # it wants to hear the same of the other side: nobody waits for that
            self._tls.unwrap()
        self._flush()

    async def _fed(self) -> None:
        self._flush()
        self._in.write(await self._peer.more())

    def _flush(self) -> None:
        if data := self._out.read():
            self._peer.write(data)
