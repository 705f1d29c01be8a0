"""What comes on a stream and is no message is answered, as JSON-RPC 2.0 says (section 5.1); the SDK drops it."""

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Self, cast

import anyio
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage
from mcp.types import INVALID_REQUEST, PARSE_ERROR, ErrorData, JSONRPCError, JSONRPCRequest
from pydantic import ValidationError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from types import TracebackType

    from mcp.shared._stream_protocols import ReadStream, WriteStream

_LONGEST = 64
"""Digits or characters of an id that is given back."""


class Answering:
    """Gives what a stream gives, but for what is no message: that is answered on the other stream."""

    def __init__(
        self,
        read: "ReadStream[SessionMessage | Exception]",
        write: "WriteStream[SessionMessage]",
        before: "Callable[[], Awaitable[None]]",
    ) -> None:
        """Read from one, answer on the other; `before` is done before the first thing that is no `initialize`."""
        self._read = read
        self._write = write
        self._before: Callable[[], Awaitable[None]] | None = before

    @property
    def last_context(self) -> object:
        """The context in which the latest was sent, as the SDK's streams tell it."""
        return getattr(self._read, "last_context", None)

    async def receive(self) -> SessionMessage | Exception:
        """Give the next message; anyio.EndOfStream where there is none."""
        while True:
            try:
                item = await self._read.receive()
            except anyio.EndOfStream:
                await self._get_ready()
                raise
            if not _initializes(item):
                await self._get_ready()
            if not isinstance(item, Exception):
                return item
            if (error := _error(item)) is not None:
                await self._write.send(SessionMessage(error))

    async def _get_ready(self) -> None:
        before, self._before = self._before, None
        if before is not None:
            await before()

    def __aiter__(self) -> "ReadStream[SessionMessage | Exception]":
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def aclose(self) -> None:
        """Close what is read from."""
        await self._read.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: "TracebackType | None"
    ) -> None:
        await self.aclose()


@asynccontextmanager
async def answering_stdio(
    before: "Callable[[], Awaitable[None]]",
) -> "AsyncGenerator[tuple[Answering, WriteStream[SessionMessage]]]":
    """Give the streams of stdin and stdout."""
    async with stdio_server() as (read, write):
        yield Answering(read, write, before), write


def _initializes(item: SessionMessage | Exception) -> bool:
    return (
        isinstance(item, SessionMessage)
        and isinstance(item.message, JSONRPCRequest)
        and item.message.method == "initialize"
    )


def _error(error: Exception) -> JSONRPCError | None:
    """Give the answer; an empty line has none."""
    rows = error.errors(include_url=False, include_context=False) if isinstance(error, ValidationError) else []
    if any(isinstance(row["input"], str) and not row["input"].strip() for row in rows):
        return None
    if not rows or any(row["type"] == "json_invalid" for row in rows):
        return JSONRPCError(
            jsonrpc="2.0", id=None, error=ErrorData(code=PARSE_ERROR, message="this line is no JSON text")
        )
    told = ErrorData(code=INVALID_REQUEST, message="this is no message of JSON-RPC 2.0")
    return JSONRPCError(
        jsonrpc="2.0", id=next(filter(None, map(_id, (row["input"] for row in rows))), None), error=told
    )


def _id(found: object) -> int | str | None:
    """Give the id that somebody waits for; whoever sends a response waits for nothing."""
    message = cast("dict[str, object]", found) if isinstance(found, dict) and "method" in found else {}
    ident = message.get("id")
    if isinstance(ident, bool) or not isinstance(ident, (int, str)):
        return None
    return ident if len(str(ident)) <= _LONGEST else None
