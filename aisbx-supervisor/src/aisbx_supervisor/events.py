"""What a command prints, as server-sent events. The id of each is the offset behind it: who was cut off goes on there.

Nobody waits in a thread: a socket of the process that serves the command tells when there is more.
"""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from typing import Protocol, TypeVar

from aisbx.api.aio.background import AsyncBackgroundProcess
from aisbx.api.background import BackgroundProcess, Chunk
from aisbx.engine.background import BackgroundCommand
from aisbx.errors import AdmissionError, AisbxError, UsageError
from aisbx.types import Command
from starlette.responses import StreamingResponse

from aisbx_supervisor.asked import Asked
from aisbx_supervisor.options import HOST
from aisbx_supervisor.problems import problem

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
MEDIA = "text/event-stream"
MOST = 40
"""Streams of one process at once; `aisbx.background.door` lets in 64."""
_ALIVE = 15.0
"""Seconds of silence after which a comment is sent: what lies between closes connections on which nothing happens."""
_NAMES = {1: "stdout", 2: "stderr"}
_RESULT = (
    *("exit_code", "signal", "timed_out", "oom_killed", "pids_limited", "duration", "usage", "findings", "output"),
    "error",
)


def described(one: BackgroundCommand) -> dict[str, object]:
    """Give a command in the background as data."""
    row = one.row
    return {
        "id": one.id,
        "state": one.state,
        "argv": list(row.get("argv", [])),
        "started": row.get("started"),
        "ended": row.get("ended"),
        "exit_code": row.get("exit_code"),
        "terminal": bool(row.get("terminal")),
        "result": {key: row[key] for key in _RESULT if key in row} or None,
    }


def position(text: str) -> int:
    """Read an id of an event, or a cursor; UsageError where it is none."""
    if not (text.isascii() and text.isdigit() and len(text) <= 18):  # noqa: PLR2004 - digits
        raise UsageError(f"{text[:40]!r} is no place in an output", hint="give the id of the last event")
    return int(text)


async def streamed(by: Asked, name: str, command: Command, given: bytes | None) -> StreamingResponse:
    """Start a command and stream it."""
    service, who = by.service, by.who
    with by.may("run", "exec"):
        real = by.box(name)

        def start() -> BackgroundProcess:
            sandboxes = service.engine.sandboxes
            run = sandboxes.detach(real, command, who, HOST, terminal=False, stdin=given is not None)
            return BackgroundProcess(sandboxes.background(real), run)

        process = await service.aside(start)
    feeding = asyncio.ensure_future(_feed(AsyncBackgroundProcess(process), given)) if given is not None else None
    return answered(by, real, process, 0, feeding)


def answered(
    by: Asked, real: str, process: BackgroundProcess, cursor: int, feeding: "asyncio.Task[None] | None" = None
) -> StreamingResponse:
    """Give the answer that streams a process from a place on."""
    headers = {"X-Accel-Buffering": "no", "Aisbx-Process": process.id}
    return StreamingResponse(_events(by, real, process, cursor, feeding), headers=headers, media_type=MEDIA)


async def _events(
    by: Asked, real: str, process: BackgroundProcess, cursor: int, feeding: "asyncio.Task[None] | None"
) -> AsyncIterator[bytes]:
    yield event("process", {"id": process.id}, str(cursor))
    try:
        async for chunk in followed(by, process, cursor):
            yield b": alive\n\n" if chunk is None else event(_NAMES[chunk.stream], written(chunk), str(chunk.cursor))
        if not by.service.ending.is_set():
            found = await by.service.aside(lambda: by.service.engine.sandboxes.background(real).find(process.id))
            yield event("end", described(found), "")
    except AisbxError as error:
        yield event("error", json.loads(bytes(problem(error).body)), "")
    finally:
        if feeding is not None and not feeding.done():
            feeding.add_done_callback(lambda task: task.exception())


async def followed(by: Asked, process: BackgroundProcess, cursor: int) -> AsyncIterator[Chunk | None]:
    """Give what a process prints, as `until_ending` does; AdmissionError where too many listen to it already.

    Who serves it lets in a certain number, and whoever comes then would hold up a thread that others need.
    """
    streams = by.service.streams
    if streams[process.id] >= MOST:
        raise AdmissionError(f"{MOST} listen to the process {process.id} already", retry_after=5.0)
    streams[process.id] += 1
    try:
        async for chunk in until_ending(by, AsyncBackgroundProcess(process).follow(cursor)):
            yield chunk
    finally:
        streams[process.id] -= 1
        if not streams[process.id]:
            del streams[process.id]


class Coming(Protocol[T_co]):
    """What comes one by one, until who listens leaves."""

    def __anext__(self) -> Awaitable[T_co]:
        """Wait for the next; StopAsyncIteration at the end."""
        ...

    def aclose(self) -> Awaitable[None]:
        """Leave."""
        ...


async def _next(chunks: Coming[T]) -> T:
    return await chunks.__anext__()


async def until_ending(by: Asked, chunks: Coming[T]) -> AsyncIterator[T | None]:
    """Give what comes, None where nothing has come for a while, until it ends or the service does."""
    ending = asyncio.ensure_future(by.service.ending.wait())
    coming: asyncio.Task[T] | None = None
    try:
        while True:
            coming = coming or asyncio.ensure_future(_next(chunks))
            await asyncio.wait({coming, ending}, timeout=_ALIVE, return_when=asyncio.FIRST_COMPLETED)
            if coming.done():
                try:
                    yield coming.result()
                except StopAsyncIteration:
                    return
                coming = None
            elif ending.done():
                return
            else:
                yield None
    finally:
        ending.cancel()
        if coming is not None:
            coming.cancel()
            with suppress(asyncio.CancelledError, StopAsyncIteration, AisbxError):
                await coming
        await chunks.aclose()


def written(chunk: Chunk) -> dict[str, object]:
    """Give some output as data: text where it is UTF-8, else base64; `missing` bytes before it were not kept."""
    try:
        told: dict[str, object] = {"text": chunk.data.decode()}
    except UnicodeDecodeError:
        told = {"base64": base64.b64encode(chunk.data).decode()}
    return {**told, "missing": chunk.missing} if chunk.missing else told


def event(kind: str, data: object, number: str) -> bytes:
    """Write an event; `number` is its id, empty for none."""
    beginning = f"id: {number}\n" if number else ""
    return f"{beginning}event: {kind}\ndata: {json.dumps(data)}\n\n".encode()


async def _feed(process: AsyncBackgroundProcess, given: bytes) -> None:
    with suppress(AisbxError):  # it has ended, or takes no more: its own matter
        await process.write(given)
        await process.close_input()
