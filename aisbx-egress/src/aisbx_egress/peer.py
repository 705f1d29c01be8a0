"""One side of a connection: first it is read from, then what comes goes to the other side by itself."""

import asyncio
import time
from collections.abc import Callable

_WAITING = 1 << 16
"""Bytes that are kept until somebody reads them."""


class ClosedError(Exception):
    """The other end has gone."""


class Peer(asyncio.Protocol):
    """A socket's stream. `count` is how many bytes came, `last` when the last one did (seconds, monotonic)."""

    def __init__(self, started: "Callable[[Peer], None] | None" = None) -> None:
        """Begin; `started` hears of it once it is connected."""
        self.count = 0
        self.last = time.monotonic()
        self.ended = False
        """It will send no more."""
        self.lost = False
        self.on_lost: Callable[[], None] | None = None
        self.transport: asyncio.Transport
        self._started = started
        self._buffer = bytearray()
        self._waiter: asyncio.Future[None] | None = None
        self._other: Peer | None = None
        self._source: Peer | None = None
        self._full = False
        self._drainer: asyncio.Future[None] | None = None
        self._sift: Callable[[bytes], bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for the type checker
        self.transport = transport
        if self._started is not None:
            self._started(self)

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        self.count += len(data)
        self.last = time.monotonic()
        if self._other is not None:
            if self._sift is None or (data := self._sifted(data)):
                self._other.transport.write(data)
            return
        self._buffer += data
        if len(self._buffer) >= _WAITING:
            self.transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        """See asyncio: the other direction goes on."""
        self.ended = True
        if self._other is not None:
            self._other.end()
            self._close_when_done()
        self._wake()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio."""
        del exc
        self.ended = self.lost = True
        self._wake()
        self._wake_drainer()
        if self._other is not None:
            self._other.transport.close()
        if self.on_lost is not None:
            self.on_lost()

    def pause_writing(self) -> None:
        """See asyncio: what goes here is read no faster than it is taken."""
        self._full = True
        if self._source is not None and not self._source.lost:
            self._source.transport.pause_reading()

    def resume_writing(self) -> None:
        """See asyncio."""
        self._full = False
        self._wake_drainer()
        if self._source is not None and not self._source.lost:
            self._source.transport.resume_reading()

    async def more(self) -> bytes:
        """Give all that waits, once there is more than what `keep` put back; ClosedError where none comes any more."""
        while not self._buffer:
            if self.ended:
                raise ClosedError
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        data = bytes(self._buffer)
        self._buffer.clear()
        if not self.lost:
            self.transport.resume_reading()
        return data

    async def drained(self) -> None:
        """Wait until what was written has gone far enough for more; ClosedError where the other end has gone."""
        while self._full and not self.lost:
            self._drainer = asyncio.get_running_loop().create_future()
            await self._drainer
        if self.lost:
            raise ClosedError

    def keep(self, data: bytes) -> None:
        """Put back what was read too far."""
        self._buffer[:0] = data

    def write(self, data: bytes) -> None:
        """Send bytes, unless the connection is lost."""
        if not self.lost:
            self.transport.write(data)

    def end(self) -> None:
        """Send no more."""
        if not self.lost and not self.transport.is_closing():
            self.transport.write_eof()

    def relay_to(self, other: "Peer", sift: Callable[[bytes], bytes] | None = None) -> None:
        """Pass on what waits and all that comes, as far as `sift` lets it by; an error of its closes both."""
        data = bytes(self._buffer)
        self._buffer.clear()
        self._other, self._sift, other._source = other, sift, self  # noqa: SLF001 - one of ours
        if self.lost:
            other.transport.close()
            return
        if sift is not None:
            data = self._sifted(data)
        if data:
            other.write(data)
        if self.ended:
            other.end()
            self._close_when_done()
        if not other._full:  # noqa: SLF001
            self.transport.resume_reading()

    def sift_with(self, sift: Callable[[bytes], bytes]) -> None:
        """Have what comes from now on let by `sift`, as of `relay_to`."""
        self._sift = sift

    def _close_when_done(self) -> None:
        """Close both sides once neither has more to say: what asyncio was told to keep open after an end, it keeps."""
        if self._other is not None and self._source is self._other and self._other.ended:
            for side in (self, self._other):
                if not side.lost:
                    side.transport.close()  # what waits to be written is written first

    def _sifted(self, data: bytes) -> bytes:
        assert self._sift is not None  # noqa: S101 - for the type checker
        try:
            return self._sift(data)
        except ValueError:
            self.transport.abort()
            return b""

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _wake_drainer(self) -> None:
        if self._drainer is not None and not self._drainer.done():
            self._drainer.set_result(None)
