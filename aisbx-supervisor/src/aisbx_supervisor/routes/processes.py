"""Commands in the background: started, followed, fed, ended; they outlive the service."""

from typing import Annotated

from aisbx.api.aio.background import AsyncBackgroundProcess
from aisbx.api.background import BackgroundProcess
from aisbx.background.output import position_of
from aisbx.engine.background import BackgroundCommand
from aisbx.errors import NotFoundError, StateError
from fastapi import APIRouter, Depends, Header, Query
from fastapi import Path as InPath
from pydantic import BaseModel
from starlette.responses import Response

from aisbx_supervisor.answers import Json
from aisbx_supervisor.asked import Asked, asked
from aisbx_supervisor.events import MEDIA, answered, described, position, written
from aisbx_supervisor.models import Input, Process, Signal, Size, Start
from aisbx_supervisor.options import HOST

router = APIRouter(prefix="/sandboxes/{name}/processes", tags=["processes"])
By = Annotated[Asked, Depends(asked)]
Id = Annotated[str, InPath(pattern="^[0-9a-f]{12}$")]
MOST = 500
_CHUNK = 1 << 20


class Processes(BaseModel):
    """The commands in the background of a sandbox, the oldest first."""

    processes: list[Process]


class Position(BaseModel):
    """A place in an output."""

    cursor: int


class Output(BaseModel):
    """Some output of one stream, and where the next begins; without a stream there is no more yet."""

    stream: int | None
    cursor: int
    text: str | None = None
    base64: str | None = None
    missing: int | None = None


@router.post("", status_code=201, response_model=Process)
async def start(by: By, name: str, body: Start) -> Response:
    """Start a command that goes on whoever waits for it."""
    service, who, command = by.service, by.who, body.command()
    with by.may("run", "start"):
        real = by.box(name)

        def begin() -> dict[str, object]:
            sandboxes = service.engine.sandboxes
            run = sandboxes.detach(real, command, who, HOST, terminal=body.terminal, stdin=body.stdin)
            return described(sandboxes.background(real).find(run))

        made = await service.aside(begin)
    return Json(made, 201, {"Location": f"/api/v1/sandboxes/{name}/processes/{made['id']}"})


@router.get("", response_model=Processes)
async def listed(by: By, name: str) -> Response:
    """List the commands in the background, also those that have ended; the last 500."""
    with by.may("run", "processes"):
        real = by.box(name)
        rows = await by.service.aside(
            lambda: [described(one) for one in by.service.engine.sandboxes.background(real).all()]
        )
        return Json({"processes": rows[-MOST:]})


@router.get("/{process}", response_model=Process)
async def one(by: By, name: str, process: Id) -> Response:
    """Show one."""
    with by.may("run", "process"):
        return Json(described((await found(by, by.box(name), process))[1]))


@router.get("/{process}/output", response_model=Output)
async def output(
    by: By,
    name: str,
    process: Id,
    cursor: Annotated[int, Query(ge=0, le=1 << 62)] = 0,
    limit: Annotated[int, Query(ge=1, le=_CHUNK)] = 1 << 16,
) -> Response:
    """Give what it printed from a place on, without waiting."""
    with by.may("run", "output"):
        running, _ = await found(by, by.box(name), process)
        chunk = await by.service.aside(lambda: running.read(cursor, limit))
        if chunk is None:
            return Json({"stream": None, "cursor": cursor})
        return Json({"stream": chunk.stream, "cursor": chunk.cursor, **written(chunk)})


@router.get("/{process}/position", response_model=Position)
async def where(
    by: By,
    name: str,
    process: Id,
    tail: Annotated[int | None, Query(ge=0, le=1 << 40)] = None,
    since: Annotated[float, Query(ge=0, le=1e12, description="Seconds since the epoch.")] = 0.0,
) -> Response:
    """Say where its last `tail` lines begin, or what it printed `since` a time: whichever is later."""
    with by.may("run", "position"):
        _, command = await found(by, by.box(name), process)
        return Json({"cursor": await by.service.aside(lambda: position_of(command.place, tail, since))})


@router.get(
    "/{process}/events",
    response_class=Response,
    responses={200: {"content": {MEDIA: {"schema": {"type": "string"}}}, "description": "Its output."}},
)
async def events(
    by: By,
    name: str,
    process: Id,
    cursor: Annotated[int, Query(ge=0, le=1 << 62)] = 0,
    last: Annotated[str | None, Header(alias="Last-Event-ID", pattern="^[0-9]{1,18}$")] = None,
) -> Response:
    """Stream what it prints, from a place on, to its end; `Last-Event-ID` goes on where a stream was cut off."""
    with by.may("run", "events"):
        real = by.box(name)
        running, _ = await found(by, real, process)
    return answered(by, real, running, position(last) if last else cursor)


@router.post("/{process}/input", status_code=204, response_class=Response)
async def feed(by: By, name: str, process: Id, body: Input) -> Response:
    """Give it input; answers when it has all of it."""
    with by.may("run", "input"):
        running, _ = await found(by, by.box(name), process)
        fed = AsyncBackgroundProcess(running)
        if data := body.data():
            await fed.write(data)
        if body.end:
            await fed.close_input()
    return Response(status_code=204)


@router.post("/{process}/resize", status_code=204, response_class=Response)
async def resize(by: By, name: str, process: Id, body: Size) -> Response:
    """Give its terminal a size."""
    with by.may("run", "resize"):
        running, _ = await found(by, by.box(name), process)
        await by.service.aside(lambda: running.resize(body.rows, body.columns))
    return Response(status_code=204)


@router.post("/{process}/signal", status_code=204, response_class=Response)
async def signal(by: By, name: str, process: Id, body: Signal) -> Response:
    """Send a signal to it and all that came of it; nothing happens where it has ended."""
    number = body.number()
    with by.may("run", "signal"):
        real = by.box(name)
        running, _ = await found(by, real, process)

        def send() -> None:
            by.service.boxes.inside(real).refuse_paused(number)
            running.signal(number)

        await by.service.aside(send)
    return Response(status_code=204)


@router.delete("/{process}", response_model=Process)
async def kill(by: By, name: str, process: Id) -> Response:
    """End it and all that came of it, at once."""
    with by.may("run", "kill"):
        real = by.box(name)
        running, _ = await found(by, real, process)
        await by.service.aside(running.kill)
        await AsyncBackgroundProcess(running).wait(10.0)
        return Json(described((await found(by, real, process))[1]))


async def found(by: Asked, real: str, process: str) -> tuple[BackgroundProcess, BackgroundCommand]:
    """Give a process and how it is now; NotFoundError where there is none of that id."""

    def look() -> tuple[BackgroundProcess, BackgroundCommand]:
        background = by.service.engine.sandboxes.background(real)
        try:
            return BackgroundProcess(background, process), background.find(process)
        except StateError as error:
            hint = "GET .../processes lists them"
            raise NotFoundError(f"there is no process {process!r}", name=process, hint=hint) from error

    return await by.service.aside(look)
