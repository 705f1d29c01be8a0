"""Resources."""

import itertools
import json

from aisbx_mcp.resource import Resource
from aisbx_mcp.room import Room
from aisbx_mcp.tool import Call

from aisbx_mcp_conformance.contents import png

_TIMES = itertools.count()


async def text(call: Call) -> str:
    """Give text."""
    del call
    return "This is the content of the static text resource."


async def binary(call: Call) -> bytes:
    """Give an image."""
    del call
    return png()


async def data(call: Call, id: str) -> str:  # noqa: A002 - the suite's name
    """Give what belongs to an id."""
    del call
    return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})


async def watched(call: Call) -> str:
    """Give text that is another each time somebody looks."""
    del call
    return "This changes."


async def _looked(room: Room) -> object:
    del room
    return next(_TIMES)


TEXT = Resource(text, uri="test://static-text", title="Text", mime_type="text/plain")
BINARY = Resource(binary, uri="test://static-binary", title="An image", mime_type="image/png")
TEMPLATE = Resource(data, uri="test://template/{id}/data", title="Data", mime_type="application/json")
WATCHED = Resource(watched, uri="test://watched-resource", title="Something that changes", version=_looked)
