"""A terminal over a WebSocket: what is typed and printed are binary messages, everything else is JSON in text.

The client begins with `{"argv": [...], "rows": 24, "columns": 80}` (as for a process); then it may send
`{"resize": [rows, columns]}`, `{"signal": "INT"}` and `{"end": true}`. The last message is `{"end": …}`, how it ended.
"""

import asyncio
import json
from contextlib import suppress
from typing import cast

from aisbx.api.aio.background import AsyncBackgroundProcess
from aisbx.api.background import BackgroundProcess
from aisbx.errors import AisbxError, NotFoundError, StateError, UsageError
from fastapi import WebSocket
from pydantic import ValidationError
from starlette.websockets import WebSocketDisconnect

from aisbx_supervisor.asked import Asked
from aisbx_supervisor.events import described, followed
from aisbx_supervisor.models import Signal, Size, Start
from aisbx_supervisor.options import HOST
from aisbx_supervisor.problems import problem

_FIRST = 10.0
"""Seconds in which a client says what is to run."""
_REFUSED, _DONE, _AWAY = 1008, 1000, 1001


async def open_terminal(socket: WebSocket, by: Asked, name: str) -> None:
    """Start a command with a terminal, and end it with the connection."""
    service, who = by.service, by.who
    process: BackgroundProcess | None = None
    try:
        with by.may("run", "pty"):
            real = by.box(name)
            await socket.accept()
            body, size = _begun(await asyncio.wait_for(_said(socket), _FIRST))
            command = body.command()

            def begin() -> BackgroundProcess:
                sandboxes = service.engine.sandboxes
                run = sandboxes.detach(real, command, who, HOST, terminal=True, stdin=True)
                return BackgroundProcess(sandboxes.background(real), run)

            process = await service.aside(begin)
            if size is not None:
                with suppress(AisbxError):
                    await service.aside(lambda: process.resize(size.rows, size.columns))
            await _relay(socket, by, real, process)
    except AisbxError as error:
        await _refuse(socket, error)
    except (WebSocketDisconnect, TimeoutError):
        pass
    finally:
        if process is not None:
            with suppress(AisbxError):
                await asyncio.shield(service.aside(process.kill))


async def attach(socket: WebSocket, by: Asked, name: str, process: str) -> None:
    """Pass on what a command prints and takes."""
    try:
        with by.may("run", "attach"):
            real = by.box(name)

            def look() -> BackgroundProcess:
                background = by.service.engine.sandboxes.background(real)
                try:
                    return BackgroundProcess(background, background.find(process).id)
                except StateError as error:
                    hint = "GET .../processes lists them"
                    raise NotFoundError(f"there is no process {process[:40]!r}", name=process, hint=hint) from error

            found = await by.service.aside(look)
            await socket.accept()
            await _relay(socket, by, real, found)
    except AisbxError as error:
        await _refuse(socket, error)
    except WebSocketDisconnect:
        pass


async def _relay(socket: WebSocket, by: Asked, real: str, process: BackgroundProcess) -> None:
    running = AsyncBackgroundProcess(process)
    hearing = asyncio.ensure_future(_hear(socket, running))
    telling = asyncio.ensure_future(_tell(socket, by, process))
    try:
        await asyncio.wait({hearing, telling}, return_when=asyncio.FIRST_COMPLETED)
        if not telling.done():
            hearing.result()  # who has gone is gone
        telling.result()
        if by.service.ending.is_set():
            await socket.close(_AWAY)
            return
        found = await by.service.aside(lambda: by.service.engine.sandboxes.background(real).find(process.id))
        await socket.send_text(json.dumps({"end": described(found)}))
        await socket.close(_DONE)
    finally:
        for task in (hearing, telling):
            task.cancel()
        await asyncio.gather(hearing, telling, return_exceptions=True)


async def _tell(socket: WebSocket, by: Asked, process: BackgroundProcess) -> None:
    await socket.send_text(json.dumps({"process": process.id}))
    async for chunk in followed(by, process, 0):
        if chunk is not None:
            if chunk.missing:
                await socket.send_text(json.dumps({"missing": chunk.missing}))
            await socket.send_bytes(chunk.data)


async def _hear(socket: WebSocket, running: AsyncBackgroundProcess) -> None:
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", _AWAY))
        if message.get("bytes") is not None:
            await running.write(message["bytes"])
        else:
            await _do(_object(message.get("text") or ""), running)


async def _said(socket: WebSocket) -> str:
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", _AWAY))
    return message.get("text") or ""  # what is no text is no object either


async def _do(said: dict[str, object], running: AsyncBackgroundProcess) -> None:
    try:
        match said:
            case {"resize": [int(rows), int(columns)]}:
                size = Size(rows=rows, columns=columns)
                await running.resize(size.rows, size.columns)
            case {"signal": str() | int() as number}:
                await running.signal(Signal(signal=number).number())
            case {"end": True}:
                await running.close_input()
            case _:
                raise UsageError("a message is resize, signal or end", hint="what is typed is a binary message")
    except ValidationError as error:
        raise UsageError(f"that cannot be: {error.errors()[0]['msg']}", hint="see docs/supervisor.md") from error


def _begun(text: str) -> tuple[Start, Size | None]:
    said = _object(text)
    size = {name: said.pop(name) for name in ("rows", "columns") if name in said}
    try:
        return Start.model_validate(said), Size.model_validate(size) if size else None
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise UsageError(f"{where}: {error.errors()[0]['msg']}", hint='send {"argv": [...]} first') from error


def _object(text: str) -> dict[str, object]:
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise UsageError("a text message is a JSON object", hint="what is typed is a binary message")
    return cast("dict[str, object]", found)


async def _refuse(socket: WebSocket, error: AisbxError) -> None:
    """Say why, before the connection is a WebSocket or in it."""
    if socket.application_state.name == "CONNECTING":
        await socket.send_denial_response(problem(error))
        return
    with suppress(RuntimeError, WebSocketDisconnect):
        await socket.send_text(json.dumps({"error": json.loads(bytes(problem(error).body))}))
        await socket.close(_REFUSED, error.code)
