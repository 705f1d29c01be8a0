"""What a sandbox changed in a `cow` or `guarded` workspace, and what was kept of it."""

import base64
from collections.abc import Iterable
from itertools import islice
from typing import Annotated

from aisbx.cli import difftext
from aisbx.engine.review import below
from aisbx.errors import NotFoundError
from aisbx.hosting.requests import RefusedError
from aisbx.snapshots import Snapshot
from aisbx.types import Change
from fastapi import APIRouter, Depends, Query
from fastapi import Path as InPath
from pydantic import BaseModel
from starlette.responses import Response

from aisbx_supervisor.answers import Json
from aisbx_supervisor.asked import Asked, as_it_stands, asked
from aisbx_supervisor.models import Apply, Keep, Paths
from aisbx_supervisor.options import HOST

router = APIRouter(prefix="/sandboxes/{name}", tags=["review"])
By = Annotated[Asked, Depends(asked)]
Tag = Annotated[str, InPath(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")]
Some = Annotated[list[str] | None, Query(alias="path", max_length=1000)]
MOST = 100_000
"""Changes of an answer."""
_LINES = 200_000
_LARGEST = 8 << 20
"""Bytes of a file's contents in an answer."""


class Changed(BaseModel):
    """A path that was changed; see `aisbx diff`."""

    path: str
    action: str
    kind: str
    was_kind: str
    mode: int
    was_mode: int
    size: int
    was_size: int
    protected: str
    conflict: str
    left: str | None = None


class Changes(BaseModel):
    """What differs from the workspace."""

    changes: list[Changed]


class Applied(BaseModel):
    """What became of changes: `left` stays in the layer, each with the reason."""

    done: list[Changed]
    left: list[Changed]


class Kept(BaseModel):
    """A snapshot."""

    tag: str
    created: float
    mechanism: str
    principal: str


class Snapshots(BaseModel):
    """The snapshots of a sandbox, the oldest first."""

    snapshots: list[Kept]


@router.get("/changes", response_model=Changes)
async def changes(by: By, name: str, path: Some = None) -> Response:
    """List what differs from the workspace, all or at and below these paths."""
    with by.may("files", "changes"):
        real = by.box(name)

        def look() -> list[dict[str, object]]:
            layers = by.service.engine.changes.layers(real)
            return [_row(one) for one in bounded(layers.changes(below(layers.workspace, path or [])))]

        return Json({"changes": await by.service.aside(look)})


@router.get(
    "/changes/diff",
    response_class=Response,
    responses={200: {"content": {"text/plain; charset=utf-8": {"schema": {"type": "string"}}}}},
)
async def diff(by: By, name: str, path: Some = None) -> Response:
    """Give what `aisbx diff` prints; at most 200,000 lines."""
    with by.may("files", "diff"):
        real = by.box(name)

        def look() -> str:
            layers = by.service.engine.changes.layers(real)
            lines: list[str] = []
            for change in layers.changes(below(layers.workspace, path or [])):
                lines += [difftext.headline(change), *difftext.of_change(layers, change)]
                if len(lines) > _LINES:
                    lines = [*lines[:_LINES], "[more was changed: name paths]"]
                    break
            return "".join(f"{line}\n" for line in lines)

        return Response(await by.service.aside(look), media_type="text/plain; charset=utf-8")


class Contents(BaseModel):
    """A file in the workspace and in the layer, in base64; null for none, and for more than was asked for."""

    before: str | None
    after: str | None


@router.get("/changes/contents", response_model=Contents)
async def contents(
    by: By,
    name: str,
    path: Annotated[str, Query(min_length=1, max_length=4096, pattern=r"^[^\x00]+$")],
    limit: Annotated[int, Query(ge=0, le=_LARGEST)] = 1 << 20,
) -> Response:
    """Give what a changed file held, and what it holds now."""
    with by.may("files", "contents"):
        real = by.box(name)

        def look() -> dict[str, str | None]:
            layers = by.service.engine.changes.layers(real)
            wanted = below(layers.workspace, [path])
            change = next((one for one in layers.changes(wanted) if one.path in wanted), None)
            if change is None:
                raise NotFoundError(f"{path[:200]!r} was not changed", name=path, hint="GET .../changes lists them")
            before, after = layers.contents(change, limit)
            return {"before": _coded(before), "after": _coded(after)}

        return Json(await by.service.aside(look))


@router.post("/changes/apply", response_model=Applied)
async def apply(by: By, name: str, body: Apply) -> Response:
    """Take changes over into the workspace of the host; needs `admin`, for whoever made them is to be reviewed."""
    with by.may("admin", "apply"):
        real = by.box(name)

        def work() -> dict[str, object]:
            done: list[dict[str, object]] = []
            left: list[dict[str, object]] = []
            for change, why in by.service.engine.changes.apply(real, body.paths, by.who, HOST, force=body.force):
                (left if why else done).append({**_row(change), "left": why or None})
            return {"done": done, "left": left}

        return Json(await by.service.aside(work))


@router.post("/changes/discard", response_model=Changes)
async def discard(by: By, name: str, body: Paths) -> Response:
    """Drop changes of a sandbox that has ended."""
    with by.may("files", "discard"):
        real = by.box(name)
        gone = await by.service.aside(
            lambda: [_row(one) for one in by.service.engine.changes.discard(real, body.paths, by.who, HOST)]
        )
        return Json({"changes": gone})


@router.get("/snapshots", response_model=Snapshots)
async def snapshots(by: By, name: str) -> Response:
    """List its snapshots."""
    with by.may("run", "snapshots"), as_it_stands():
        real = by.box(name)
        rows = await by.service.aside(lambda: by.service.engine.snapshots.all(real))
        return Json({"snapshots": [_kept(one) for one in rows]})


@router.post("/snapshots", status_code=201, response_model=Kept)
async def snapshot(by: By, name: str, body: Keep) -> Response:
    """Keep what its workspace holds now."""
    with by.may("run", "snapshot"), as_it_stands():
        real = by.box(name)
        one = await by.service.aside(lambda: by.service.engine.snapshots.create(real, by.who, HOST, body.tag or ""))
        return Json(_kept(one), 201)


@router.delete("/snapshots/{tag}", status_code=204, response_class=Response)
async def remove(by: By, name: str, tag: Tag) -> Response:
    """Remove a snapshot."""
    with by.may("run", "snapshot-rm"), as_it_stands():
        real = by.box(name)
        await by.service.aside(lambda: by.service.engine.snapshots.remove(real, tag, by.who, HOST))
    return Response(status_code=204)


@router.post("/snapshots/{tag}/restore", status_code=204, response_class=Response)
async def restore(by: By, name: str, tag: Tag) -> Response:
    """Have its workspace hold what it did at a snapshot, and drop what came since."""
    with by.may("run", "restore"), as_it_stands():
        real = by.box(name)
        await by.service.aside(lambda: by.service.engine.snapshots.restore(real, tag, by.who, HOST))
    return Response(status_code=204)


def bounded(found: Iterable[Change]) -> list[Change]:
    """Give changes; RefusedError where there are more than go into an answer."""
    rows = [*islice(found, MOST + 1)]
    if len(rows) > MOST:
        raise RefusedError(422, "usage", f"more than {MOST} paths were changed", "ask for some: ?path=, more than once")
    return rows


def _coded(data: bytes | None) -> str | None:
    return base64.b64encode(data).decode() if data is not None else None


def _kept(one: Snapshot) -> dict[str, object]:
    return {"tag": one.tag, "created": one.created, "mechanism": one.mechanism, "principal": one.principal}


def _row(change: Change) -> dict[str, object]:
    return {
        "path": change.path.encode(errors="surrogateescape").decode(errors="replace"),
        "action": change.action,
        "kind": change.kind,
        "was_kind": change.was_kind,
        "mode": change.mode,
        "was_mode": change.was_mode,
        "size": change.size,
        "was_size": change.was_size,
        "protected": change.protected,
        "conflict": change.conflict,
    }
