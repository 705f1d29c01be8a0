"""Commands that are waited for."""

from dataclasses import replace
from typing import Annotated

from aisbx.types import Enforcement, Stdio
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from aisbx_supervisor.answers import Json
from aisbx_supervisor.asked import Asked, asked
from aisbx_supervisor.events import MEDIA, streamed
from aisbx_supervisor.models import Exec, Result
from aisbx_supervisor.options import HOST

router = APIRouter(prefix="/sandboxes/{name}", tags=["commands"])
NOTHING = Enforcement()


@router.post(
    "/exec",
    response_model=Result,
    responses={200: {"content": {MEDIA: {"schema": {"type": "string"}}}, "description": "What came of it."}},
)
async def execute(by: Annotated[Asked, Depends(asked)], name: str, body: Exec, request: Request) -> Response:
    """Run a command to its end; it goes on where the client does not wait any more.

    With `Accept: text/event-stream` its output comes as it is printed, as that of a process: the stream can be taken up
    again at `/processes/ID/events`.
    """
    if MEDIA in request.headers.get("accept", ""):
        return await streamed(by, name, body.command(), body.given())
    return await perform(by, name, body)


async def perform(by: Asked, name: str, body: Exec) -> Response:
    """Run a command to its end and give the answer; an AisbxError says why it did not run."""
    service = by.service
    command, given = body.command(), body.given()
    with by.may("run", "exec"):
        real = by.box(name)
        stdio = Stdio(given, capture=body.capture)
        who = by.who

        def run() -> dict[str, object]:
            outcome = service.boxes.opened(real).execute(command, stdio, who, HOST)
            record = replace(outcome, enforcement=NOTHING).as_record()
            del record["enforcement"]  # that of the sandbox, which `inspect` tells
            return record

        return Json(await service.aside(run))
