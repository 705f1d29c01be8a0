"""Files and logs of sandboxes as resources: for clients that show them, or fetch what a result only begins."""

import asyncio
import posixpath
from collections.abc import Mapping, Sequence

from aisbx.errors import NotFoundError, StateError
from mcp.server.lowlevel.helper_types import ReadResourceContents

from aisbx_mcp.images import image_type
from aisbx_mcp.resource import Resource
from aisbx_mcp.room import DEFAULT, Room
from aisbx_mcp.tool import Call

LARGEST = 4 << 20
"""Bytes of one resource; clients refuse messages that are much larger."""


async def file(call: Call, sandbox: str, path: str) -> str | ReadResourceContents:
    """Read a file of a sandbox, by its path relative to the workspace."""
    box = await call.room.box(sandbox)
    data = await asyncio.to_thread(box.files.read, box.path(path), LARGEST + 1)
    if len(data) > LARGEST:
        raise StateError(f"{path} has more than {LARGEST >> 20} MiB", hint="look at parts of it")
    try:
        if b"\0" not in data:
            return data.decode()
    except UnicodeDecodeError:
        pass
    return ReadResourceContents(data, image_type(data) or None)


async def log(call: Call, sandbox: str, process: str) -> str:
    """Read what a process of a sandbox has printed: all of it, or the beginning and the end."""
    running = (await call.room.box(sandbox)).running.get(process)
    if running is None:
        raise NotFoundError(f"there is no process {process!r} in {sandbox}", name=process, hint="see sandbox_list")
    head, left_out, tail = running.output.ends(LARGEST)
    said = f"\n[... {left_out:,} bytes left out ...]\n" if left_out else ""
    return head.decode(errors="replace") + said + tail.decode(errors="replace")


async def sandboxes(call: Call, value: str, known: Mapping[str, str]) -> Sequence[str]:
    """Complete a sandbox's name."""
    del known
    return sorted(name for name in {DEFAULT, *call.room.boxes} if name.startswith(value))


async def paths(call: Call, value: str, known: Mapping[str, str]) -> Sequence[str]:
    """Complete a path of a sandbox that is there: names of one directory, each directory with a slash at its end."""
    box = call.room.boxes.get(known.get("sandbox", DEFAULT))
    if box is None:
        return []
    directory, begins = posixpath.split(value)
    try:
        rows = await asyncio.to_thread(box.files.list, box.path(directory or "."))
    except StateError:
        return []
    names = [row.name + "/" * (row.kind == "directory") for row in rows if row.name.startswith(begins)]
    return sorted(posixpath.join(directory, name) for name in names)


async def processes(call: Call, value: str, known: Mapping[str, str]) -> Sequence[str]:
    """Complete a process's id."""
    box = call.room.boxes.get(known.get("sandbox", DEFAULT))
    return sorted(one for one in box.running if one.startswith(value)) if box else []


async def _file_version(room: Room, sandbox: str, path: str) -> object:
    box = room.boxes.get(sandbox)
    if box is None:
        return None
    row = await asyncio.to_thread(box.files.stat, box.path(path))
    return row.kind, row.size, row.changed


async def _log_version(room: Room, sandbox: str, process: str) -> object:
    box = room.boxes.get(sandbox)
    running = box.running.get(process) if box else None
    return running and (running.output.size, running.lives)


FILE = Resource(
    file,
    uri="aisbx://{sandbox}/files/{+path}",
    title="A file",
    scope="files",
    version=_file_version,
    complete={"sandbox": sandboxes, "path": paths},
)
LOG = Resource(
    log,
    uri="aisbx://{sandbox}/logs/{process}",
    title="A process's output",
    version=_log_version,
    complete={"sandbox": sandboxes, "process": processes},
)
