"""What runs in a sandbox, whoever started it; and a terminal in it."""

from typing import Annotated

from aisbx.errors import NotFoundError
from fastapi import APIRouter, Depends, WebSocket
from fastapi import Path as InPath
from pydantic import BaseModel
from starlette.responses import Response

from aisbx_supervisor.answers import Json
from aisbx_supervisor.asked import Asked, asked, asked_by
from aisbx_supervisor.models import Signal
from aisbx_supervisor.terminal import attach, open_terminal

router = APIRouter(prefix="/sandboxes/{name}", tags=["processes"])
By = Annotated[Asked, Depends(asked)]


class Row(BaseModel):
    """A process, by its number inside."""

    pid: int
    state: str
    started: float
    argv: list[str]


class Rows(BaseModel):
    """All that run."""

    processes: list[Row]


@router.get("/ps", response_model=Rows)
async def ps(by: By, name: str) -> Response:
    """List every process in it."""
    with by.may("run", "ps"):
        real = by.box(name)
        rows = await by.service.aside(lambda: by.service.boxes.inside(real).processes())
        told = [
            {"pid": one.pid, "state": one.state, "started": one.started, "argv": [_text(word) for word in one.argv]}
            for one in rows
        ]
        return Json({"processes": told})


@router.post("/ps/{pid}/signal", status_code=204, response_class=Response)
async def signal(by: By, name: str, pid: Annotated[int, InPath(ge=1, le=1 << 22)], body: Signal) -> Response:
    """Send a signal to one process, by its number inside."""
    number = body.number()
    with by.may("run", "signal"):
        real = by.box(name)

        def send() -> None:
            inside = by.service.boxes.inside(real)
            if pid not in {one.pid for one in inside.processes()}:
                raise NotFoundError(f"there is no process {pid}", name=str(pid), hint="GET .../ps lists them")
            inside.signal(pid, number)

        await by.service.aside(send)
    return Response(status_code=204)


@router.websocket("/pty")
async def pty(socket: WebSocket, name: str) -> None:
    """Run a command on a terminal, for as long as the connection lasts."""
    await open_terminal(socket, asked_by(socket), name)


@router.websocket("/processes/{process}/attach")
async def attached(socket: WebSocket, name: str, process: str) -> None:
    """Have the terminal, or the streams, of a command in the background; it goes on when the connection ends."""
    await attach(socket, asked_by(socket), name, process)


def _text(word: str) -> str:
    return word.encode(errors="surrogateescape").decode(errors="replace")
