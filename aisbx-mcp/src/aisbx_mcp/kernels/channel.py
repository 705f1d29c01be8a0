"""A command that the server talks with: what goes in, what comes out, and its end."""

import asyncio
import os
import threading
from collections.abc import Sequence
from contextlib import suppress

from aisbx.engine.opened import Opened, Started
from aisbx.errors import AisbxError
from aisbx.types import Command, Principal, Stdio

from aisbx_mcp.options import HOST
from aisbx_mcp.running import in_thread, waiter

_AHEAD = 1 << 20
"""Bytes that nobody has read yet, after which what prints them has to wait."""
_PATIENCE = 5.0
_GRACE = 2.0
"""Seconds in which what it has said on its errors is read to the end."""


class Channel:
    """A command with a pipe for each of its streams; used by the event loop that it was started in."""

    def __init__(self) -> None:
        """Use `start`."""
        self.out = asyncio.StreamReader(limit=_AHEAD)
        self.err = asyncio.StreamReader(limit=_AHEAD)
        self.why = ""
        """Why it has ended, where that was not its own decision."""
        self._ended = asyncio.Event()
        self._writer: asyncio.StreamWriter | None = None
        self._started: Started | None = None
        self._readers: list[asyncio.BaseTransport] = []

    @property
    def lives(self) -> bool:
        """Whether it has not ended yet."""
        return not self._ended.is_set()

    async def start(self, opened: Opened, argv: Sequence[str], principal: Principal) -> None:
        """Start it; an AisbxError says why it may not be."""
        loop = asyncio.get_running_loop()
        stdin, feed = os.pipe()
        out, stdout = os.pipe()
        err, stderr = os.pipe()
        stdio = Stdio(stdin, stdout, stderr)
        try:
            command = Command(argv=tuple(argv))
            lent = [stdin, stdout, stderr]
            words = argv[:1]  # the rest is a program of ours; each code that it gets is reviewed
            self._started = await in_thread(lambda: opened.start(command, stdio, principal, HOST, words), lent)
        except BaseException:
            for descriptor in (feed, out, err):
                os.close(descriptor)
            raise

        def tell(_outcome: object, error: AisbxError | None) -> None:
            self.why = error.message if error is not None else ""
            loop.call_soon_threadsafe(self._ended.set)

        target = waiter(self._started, lent, tell)
        threading.Thread(target=target, name="aisbx kernel", daemon=True).start()
        ours = [out, err, feed]
        try:
            for reader in (self.out, self.err):
                self._readers.append(await _connect(loop, ours.pop(0), reader))
            pipe = os.fdopen(ours.pop(), "wb", 0)
            transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, pipe)
            self._writer = asyncio.StreamWriter(transport, protocol, None, loop)
        except BaseException:  # whoever wanted it is gone, and nobody else has it
            for descriptor in ours:
                os.close(descriptor)
            await asyncio.shield(asyncio.ensure_future(self.close()))
            raise

    async def send(self, data: bytes) -> None:
        """Send data; ConnectionError where it takes no more. It may wait for as long as nobody reads there."""
        if self._writer is None or not self.lives:
            raise ConnectionResetError
        self._writer.write(data)
        await self._writer.drain()

    async def last_word(self) -> str:
        """End it, and give the last line of its errors that nobody has read; where there is none, why it has ended."""
        told = b""
        with suppress(TimeoutError):
            told = await asyncio.wait_for(self.err.read(), _GRACE)
        await self.close()
        return told.decode(errors="replace").strip().rpartition("\n")[2] or self.why

    async def close(self) -> None:
        """End it and wait for that, though not for ever."""
        for reader in self._readers:  # else what is printed and not read holds its end up
            reader.close()
        if self._writer is not None and not self._writer.transport.is_closing():
            self._writer.transport.abort()
        if self._started is not None and self.lives:
            await asyncio.to_thread(self._started.process.kill)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), _PATIENCE)


async def _connect(
    loop: asyncio.AbstractEventLoop, descriptor: int, reader: asyncio.StreamReader
) -> asyncio.BaseTransport:
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    transport, _ = await loop.connect_read_pipe(lambda: protocol, os.fdopen(descriptor, "rb", 0))
    return transport
