"""Files in the sandbox, never of the host."""

import asyncio
import base64
import posixpath
from datetime import UTC, datetime
from typing import Annotated, Literal

from aisbx.errors import StateError, UsageError
from mcp.types import CallToolResult, ImageContent, TextContent
from pydantic import Field

from aisbx_mcp.box import Box
from aisbx_mcp.images import image_type
from aisbx_mcp.render import CHARS, text
from aisbx_mcp.room import DEFAULT
from aisbx_mcp.tool import Call, Tool
from aisbx_mcp.tools.commands import Chars, Sandbox

LARGEST = 16 << 20
"""Bytes of a file that is read or written."""
LARGEST_IMAGE = 700 << 10
"""Bytes of an image that is shown; as text it must stay below a megabyte."""
_ROWS = 1000

Path = Annotated[str, Field(description="Relative to the workspace, or absolute.", min_length=1, max_length=4096)]


async def read_file(
    call: Call,
    path: Path,
    sandbox: Sandbox = DEFAULT,
    first_line: Annotated[int, Field(ge=1, description="From which line on.")] = 1,
    lines: Annotated[int | None, Field(ge=1, description="How many lines at most.")] = None,
    max_output_chars: Chars = CHARS,
) -> CallToolResult:
    """Read a text file, or see an image (PNG, JPEG, GIF, WebP)."""
    box = await call.room.box(sandbox)
    data = await _read(box, path)
    if kind := image_type(data):
        return _image(path, data, kind)
    if b"\0" in data[:8192]:
        return text(f"[{path}: {len(data):,} bytes that are no text; look with run_command: file, xxd, strings]")
    every = await asyncio.to_thread(lambda: data.decode(errors="replace").splitlines(keepends=True))
    end = len(every) if lines is None else min(len(every), first_line - 1 + lines)
    body, shown = "", first_line - 1
    while shown < end and (len(body) + len(every[shown]) <= max_output_chars or not body):
        body += every[shown]
        shown += 1
    if first_line == 1 and shown == len(every) and len(body) <= max_output_chars:
        return text(body or f"[{path} is empty]")
    return text(f"[lines {first_line} to {shown} of {len(every)}]", body[:max_output_chars])


async def write_file(
    call: Call,
    path: Path,
    content: Annotated[str, Field(max_length=LARGEST)],
    sandbox: Sandbox = DEFAULT,
    encoding: Annotated[Literal["text", "base64"], Field(description="How content is written.")] = "text",
) -> CallToolResult:
    """Write a file, whole or not at all; directories on the way to it are made."""
    box = await call.room.box(sandbox)
    try:
        data = content.encode() if encoding == "text" else base64.b64decode(content, validate=True)
    except ValueError as error:
        raise UsageError(f"content is no {encoding}: {error}", hint="see encoding") from None
    await _write(box, path, data, 0o644)
    return text(f"wrote {len(data):,} bytes to {box.path(path)}")


async def edit_file(
    call: Call,
    path: Path,
    old: Annotated[str, Field(min_length=1, max_length=LARGEST, description="What is there now, to the character.")],
    new: Annotated[str, Field(max_length=LARGEST, description="What is to be there instead.")],
    sandbox: Sandbox = DEFAULT,
    replace_all: Annotated[bool, Field(description="Every place; else there must be just one.")] = False,
) -> CallToolResult:
    """Replace text in a file, whole or not at all."""
    box = await call.room.box(sandbox)
    data = await _read(box, path)
    before, after = old.encode(), new.encode()
    count = data.count(before)
    if count == 0:
        raise StateError(f"{path} does not have that text", hint="read_file shows what it has, to the character")
    if count > 1 and not replace_all:
        raise StateError(
            f"{path} has that text {count} times", hint="take in more of what is around it, or replace_all"
        )
    row = await asyncio.to_thread(box.files.stat, box.path(path))
    if row.kind != "file":
        raise StateError(f"{path} is a {row.kind}", hint="edit what it leads to; `readlink -f` says where that is")
    if len(data) + count * (len(after) - len(before)) > LARGEST:
        raise StateError(f"{path} would have more than {LARGEST >> 20} MiB", hint="change fewer places")
    await _write(box, path, data.replace(before, after), row.mode & 0o777)
    return text(f"replaced {count} in {box.path(path)}")


async def list_files(call: Call, path: Path = ".", sandbox: Sandbox = DEFAULT) -> CallToolResult:
    """List a directory: kind, size, time of the last change, name."""
    box = await call.room.box(sandbox)
    rows = await asyncio.to_thread(box.files.list, box.path(path))
    lines = [f"{row.kind:9} {row.size:>12,} {_date(row.changed)} {row.name}" for row in rows[:_ROWS]]
    more = f"[{len(rows) - _ROWS} more]" if len(rows) > _ROWS else ""
    return text(f"[{box.path(path)}: {len(rows)}]", *lines, more)


def _image(path: str, data: bytes, kind: str) -> CallToolResult:
    if len(data) > LARGEST_IMAGE:
        return text(f"[{path}: {kind} of {len(data):,} bytes, too large to show; make a smaller one]")
    note = TextContent(type="text", text=f"[{path}: {kind}, {len(data):,} bytes]")
    image = ImageContent(type="image", data=base64.b64encode(data).decode(), mime_type=kind)
    return CallToolResult(content=[note, image])


async def _read(box: Box, path: str) -> bytes:
    data = await asyncio.to_thread(box.files.read, box.path(path), LARGEST + 1)
    if len(data) > LARGEST:
        raise StateError(f"{path} has more than {LARGEST >> 20} MiB", hint="look at parts of it with run_command")
    return data


async def _write(box: Box, path: str, data: bytes, mode: int) -> None:
    where = box.path(path)
    try:
        await asyncio.to_thread(box.files.write, where, data, mode)
    except StateError:
        await asyncio.to_thread(lambda: box.files.mkdir(posixpath.dirname(where), parents=True))
        await asyncio.to_thread(box.files.write, where, data, mode)


def _date(seconds: float) -> str:
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError, OSError):
        return f"{seconds:>19.0f}"


READ_FILE = Tool(read_file, scope="files", title="Read a file", read_only=True)
WRITE_FILE = Tool(write_file, scope="files", title="Write a file", destructive=True, idempotent=True)
EDIT_FILE = Tool(edit_file, scope="files", title="Edit a file", destructive=True)
LIST_FILES = Tool(list_files, scope="files", title="List a directory", read_only=True)
