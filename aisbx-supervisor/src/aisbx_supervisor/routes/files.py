"""Files in a sandbox: read and written as streams, a part at a time."""

import asyncio
import os
import re
import tempfile
from collections.abc import AsyncIterator
from typing import Annotated

from aisbx.errors import StateError, UsageError
from aisbx.hosting.requests import RefusedError
from aisbx.paths import ensure_private
from aisbx.types import FileRow, Files
from fastapi import APIRouter, Depends, Header, Query, Request
from pydantic import BaseModel
from starlette.responses import Response, StreamingResponse

from aisbx_supervisor.answers import Json
from aisbx_supervisor.asked import Asked, asked
from aisbx_supervisor.models import Directory
from aisbx_supervisor.options import UPLOAD

router = APIRouter(prefix="/sandboxes/{name}", tags=["files"])
By = Annotated[Asked, Depends(asked)]
AtPath = Annotated[str, Query(alias="path", min_length=1, max_length=4096, pattern=r"^[^\x00]+$")]
LARGEST = 4 << 30
"""Bytes of a file that is written."""
_PART = 1 << 20
_PATIENCE = 30.0
"""Seconds in which a part of a body must come."""
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)
_BINARY = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}


class File(BaseModel):
    """What is at a path."""

    name: str
    kind: str
    mode: int
    size: int
    changed: float


class Listed(BaseModel):
    """What is in a directory, by name."""

    files: list[File]


@router.get(
    "/files",
    response_class=Response,
    responses={
        200: {"content": _BINARY, "description": "All of it."},
        206: {"content": _BINARY, "description": "A part."},
    },
)
async def read(
    by: By,
    name: str,
    path: AtPath,
    part: Annotated[str | None, Header(alias="Range")] = None,
    same: Annotated[str | None, Header(alias="If-Range")] = None,
) -> Response:
    """Read a file, or the part of it that `Range` names (one, in bytes); with `If-Range`, as none is known, all."""
    with by.may("files", "read"):
        real = by.box(name)

        def look() -> tuple[Files, str, FileRow]:
            files, whole = _files(by, real, path)
            found = files.stat(whole)
            if found.kind != "file":
                files.read(whole, 1)  # which says what it is, or follows a link as far as that is allowed
            return files, whole, found

        files, whole, found = await by.service.aside(look)
        if found.kind != "file":  # a link: its own size is none of the file's
            return StreamingResponse(_parts(by, files, whole, 0, LARGEST), media_type="application/octet-stream")
        part = part if same is None else None  # RFC 9110, 13.1.5
        begin, end = _asked(part, found.size)
        headers = {"Accept-Ranges": "bytes", "Content-Length": str(end - begin)}
        if part is not None and (begin, end) != (0, found.size):
            headers["Content-Range"] = f"bytes {begin}-{end - 1}/{found.size}"
        status = 206 if "Content-Range" in headers else 200
        return StreamingResponse(_parts(by, files, whole, begin, end), status, headers, "application/octet-stream")


@router.put("/files", status_code=204, response_class=Response, openapi_extra={"requestBody": {"content": _BINARY}})
async def write(
    by: By, name: str, path: AtPath, request: Request, mode: Annotated[str, Query(pattern="^[0-7]{3,4}$")] = "644"
) -> Response:
    """Replace a file, whole or not at all; a link is replaced, not followed."""
    bits = int(mode, 8) & 0o777
    with by.may("files", "write"):
        real = by.box(name)
        place = ensure_private(ensure_private(by.service.engine.state) / "supervisor")
        with tempfile.NamedTemporaryFile(dir=place, prefix=UPLOAD) as file:
            size = 0
            async for data in _coming(request):
                size += len(data)
                if size > LARGEST:
                    raise RefusedError(413, "usage", f"a file has at most {LARGEST} bytes", "write it in parts")
                if data:
                    await by.service.aside(lambda data=data: file.write(data))

            def replace() -> None:
                file.flush()
                files, whole = _files(by, real, path)
                if size <= _PART * 8:
                    file.seek(0)
                    files.write(whole, file.read(), bits)
                    return
                os.fchmod(file.fileno(), bits)
                left = files.push(file.name, whole, LARGEST)
                if left:
                    raise StateError(f"it was not written whole: {left[0]}", hint="see whether there is room")

            await by.service.aside(replace)
    return Response(status_code=204)


@router.delete("/files", status_code=204, response_class=Response)
async def remove(by: By, name: str, path: AtPath, *, recursive: bool = False) -> Response:
    """Remove a file, a link or an empty directory; with `recursive` also a full one."""
    with by.may("files", "remove"):
        real = by.box(name)

        def work() -> None:
            files, whole = _files(by, real, path)
            files.remove(whole, recursive=recursive)

        await by.service.aside(work)
    return Response(status_code=204)


@router.get("/files/stat", response_model=File)
async def stat(by: By, name: str, path: AtPath) -> Response:
    """Say what is at a path; a link at its end is not followed."""
    with by.may("files", "stat"):
        real = by.box(name)

        def look() -> FileRow:
            files, whole = _files(by, real, path)
            return files.stat(whole)

        return Json(_row(await by.service.aside(look)))


@router.get("/files/list", response_model=Listed)
async def listing(by: By, name: str, path: AtPath = ".") -> Response:
    """List a directory."""
    with by.may("files", "list"):
        real = by.box(name)

        def look() -> list[dict[str, object]]:
            files, whole = _files(by, real, path)
            return [_row(one) for one in files.list(whole)]

        return Json({"files": await by.service.aside(look)})


@router.post("/files/directories", status_code=204, response_class=Response)
async def mkdir(by: By, name: str, body: Directory) -> Response:
    """Make a directory."""
    with by.may("files", "mkdir"):
        real = by.box(name)

        def work() -> None:
            files, whole = _files(by, real, body.path)
            files.mkdir(whole, parents=body.parents)

        await by.service.aside(work)
    return Response(status_code=204)


def _files(by: Asked, real: str, path: str) -> tuple[Files, str]:
    """Give a sandbox's files and a path as an absolute one."""
    files = by.service.boxes.inside(real).files
    if path.startswith("/"):
        return files, path
    workspace = by.service.boxes.opened(real).record.workspace
    if workspace is None:
        raise UsageError("the sandbox has no workspace", hint="write an absolute path, such as /tmp/...")
    return files, workspace if path == "." else f"{workspace}/{path}"


def _asked(part: str | None, size: int) -> tuple[int, int]:
    """Give where a part begins and ends (RFC 9110, 14.2); all of it where none is asked for, or in another way."""
    found = _RANGE.fullmatch(part) if part is not None else None
    if found is None or not (found[1] or found[2]):
        return 0, size
    if not found[1]:
        begin, end = max(0, size - int(found[2])), size
    else:
        begin, end = int(found[1]), min(size, int(found[2]) + 1) if found[2] else size
    if begin >= end:
        told = {"Content_Range": f"bytes */{size}"}
        raise RefusedError(416, "usage", f"the file has {size} bytes", "ask for some that are there", **told)
    return begin, end


async def _parts(by: Asked, files: Files, path: str, begin: int, end: int) -> AsyncIterator[bytes]:
    while begin < end:
        at, most = begin, min(_PART, end - begin)
        data = await by.service.aside(lambda: files.read(path, most, at))  # noqa: B023 - awaited before they change
        if not data:
            return  # it is shorter by now: whoever reads sees that some is missing
        begin += len(data)
        yield data


async def _coming(request: Request) -> AsyncIterator[bytes]:
    stream = aiter(request.stream())
    while True:
        try:
            data = await asyncio.wait_for(anext(stream), _PATIENCE)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise RefusedError(408, "usage", "nothing came for 30 s", "send it faster", Connection="close") from None
        yield data


def _row(found: FileRow) -> dict[str, object]:
    name = found.name.encode(errors="surrogateescape").decode(errors="replace")
    return {"name": name, "kind": found.kind, "mode": found.mode, "size": found.size, "changed": found.changed}
