"""Sandboxes: made, listed, looked at, ended; paused and forked."""

from typing import Annotated, Literal

from aisbx.errors import NotFoundError
from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from aisbx_supervisor.answers import Json
from aisbx_supervisor.asked import Asked, as_it_stands, asked
from aisbx_supervisor.boxes import row
from aisbx_supervisor.models import Create, Destroyed, Fork, Inspected, Sandbox, Sandboxes
from aisbx_supervisor.options import HOST, Wanted

router = APIRouter(prefix="/sandboxes", tags=["sandboxes"])
By = Annotated[Asked, Depends(asked)]
MOST = 200
"""Sandboxes of one page."""


@router.post("", status_code=201, response_model=Sandbox)
async def create(by: By, body: Create) -> Response:
    """Make a sandbox."""
    boxes = by.service.boxes
    with by.may("run", "create"):
        profile = body.profile or ""
        wanted = Wanted(
            profile=boxes.profiles(by.who).completed(profile) or by.who.profile,
            workspace=by.who.workspace,
            environment=body.env,
            limits=body.limits(),
            mode=body.mode or "",
            network=body.network or "",
        )

        def make() -> dict[str, object]:
            times = {"ttl": body.ttl or 0.0, "idle": body.idle_ttl or 0.0}
            real = boxes.create(by.who, body.name or "", wanted, profile=profile, **times)
            return row(boxes.look(real), boxes.shown(by.who, real))

        made = await by.service.aside(make)
    return Json(made, 201, {"Location": f"/api/v1/sandboxes/{made['name']}"})


@router.get("", response_model=Sandboxes)
async def listed(
    by: By,
    state: Annotated[str | None, Query(pattern="^(running|paused|ended|unfinished)$")] = None,
    profile: Annotated[str | None, Query(max_length=256)] = None,
    after: Annotated[str | None, Query(max_length=63, description="The `next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST)] = 50,
    *,
    every: Annotated[bool, Query(alias="all", description="Everybody's; needs `admin`.")] = False,
) -> Response:
    """List sandboxes by name, a page at a time."""
    boxes = by.service.boxes
    with by.may("run", "list"):

        def look() -> dict[str, object]:
            rows: list[dict[str, object]] = []
            for real in boxes.names(by.who, every=every):
                name = real if every else boxes.shown(by.who, real)
                if after is not None and name <= after:
                    continue
                if len(rows) == limit:
                    return {"sandboxes": rows, "next": str(rows[-1]["name"])}
                one = row(boxes.look(real), name)
                if state in {None, one["state"]} and profile in {None, one["profile"]}:
                    rows.append(one)
            return {"sandboxes": rows, "next": None}

        return Json(await by.service.aside(look))


@router.get("/{name}", response_model=Inspected)
async def inspect(by: By, name: str) -> Response:
    """Show a sandbox, and what holds in it."""
    boxes = by.service.boxes
    with by.may("run", "inspect"):
        real = by.box(name)

        def look() -> dict[str, object]:
            found = boxes.look(real)
            if found.record is None and not boxes.store.exists(real):
                raise NotFoundError(f"there is no sandbox {name!r}", name=name, hint="it was destroyed at this moment")
            return {**row(found, name), "enforcement": found.enforcement.as_record()}

        return Json(await by.service.aside(look))


@router.delete("/{name}", response_model=Destroyed)
async def destroy(by: By, name: str, *, discard: bool = False) -> Response:
    """End a sandbox and all in it. With changes that were not applied it stays, unless they are to be discarded."""
    with by.may("run", "destroy"):
        real = by.box(name)
        findings = await by.service.aside(lambda: by.service.boxes.destroy(by.who, real, discard=discard))
        return Json({"findings": findings})


@router.post("/{name}/pause", response_model=Sandbox)
async def pause(by: By, name: str) -> Response:
    """Stop every process where it stands."""
    return await _changed(by, name, "pause")


@router.post("/{name}/resume", response_model=Sandbox)
async def resume(by: By, name: str) -> Response:
    """Let the processes go on."""
    return await _changed(by, name, "resume")


async def _changed(by: By, name: str, what: Literal["pause", "resume"]) -> Response:
    boxes = by.service.boxes
    with by.may("run", what), as_it_stands():
        real = by.box(name)

        def change() -> dict[str, object]:
            inside = boxes.inside(real)
            (inside.pause if what == "pause" else inside.resume)(by.who, HOST)
            return row(boxes.look(real), name)

        return Json(await by.service.aside(change))


@router.post("/{name}/fork", status_code=201, response_model=Sandbox)
async def fork(by: By, name: str, body: Fork) -> Response:
    """Make another from what this one's workspace holds, or did at a snapshot."""
    boxes = by.service.boxes
    with by.may("run", "fork"), as_it_stands():
        real = by.box(name)
        made = await by.service.aside(
            lambda: boxes.fork(by.who, real, body.name or "", tag=body.tag or "", ttl=body.ttl or 0.0)
        )
        return Json(made, 201, {"Location": f"/api/v1/sandboxes/{made['name']}"})
