"""Tools that show one kind of content, or of message on the way, each."""

import asyncio
import base64
import io
import struct
import wave
import zlib

from aisbx.errors import StateError
from aisbx_mcp.tool import Call, Tool
from mcp.types import AudioContent, ContentBlock, EmbeddedResource, ImageContent, TextContent, TextResourceContents

PAUSE = 0.05
"""Seconds, as the suite describes it."""


def png() -> bytes:
    """Give one red pixel (PNG, W3C)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixel = zlib.compress(b"\0\xff\0\0")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixel) + chunk(b"IEND", b"")


def image() -> ImageContent:
    return ImageContent(type="image", data=base64.b64encode(png()).decode(), mime_type="image/png")


def embedded(uri: str, text: str, kind: str = "text/plain") -> EmbeddedResource:
    return EmbeddedResource(type="resource", resource=TextResourceContents(uri=uri, mime_type=kind, text=text))


async def simple_text(call: Call) -> str:
    """Give text."""
    del call
    return "This is a simple text response for testing."


async def image_content(call: Call) -> ImageContent:
    """Give an image."""
    del call
    return image()


async def audio_content(call: Call) -> AudioContent:
    """Give a sound."""
    del call
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(b"\0\0" * 80)
    return AudioContent(type="audio", data=base64.b64encode(file.getvalue()).decode(), mime_type="audio/wav")


async def embedded_resource(call: Call) -> EmbeddedResource:
    """Give a resource."""
    del call
    return embedded("test://embedded-resource", "This is an embedded resource content.")


async def multiple_content_types(call: Call) -> list[ContentBlock]:
    """Give text, an image and a resource."""
    del call
    resource = embedded("test://mixed-content-resource", '{"test":"data","value":123}', "application/json")
    return [TextContent(type="text", text="Multiple content types test:"), image(), resource]


async def error_handling(call: Call) -> str:
    """Fail."""
    raise StateError(f"This tool intentionally returns an error for testing ({call.room.principal.id})")


async def with_logging(call: Call) -> str:
    """Tell three things on the way."""
    await call.log("info", "Tool execution started")
    await asyncio.sleep(PAUSE)
    await call.log("info", "Tool processing data")
    await asyncio.sleep(PAUSE)
    await call.log("info", "Tool execution completed")
    return "It has run."


async def logging_at_once(call: Call) -> str:
    """Tell one thing."""
    await call.log("warning", "here", logger="conformance")
    return "It has run."


async def with_progress(call: Call) -> str:
    """Report how far it is."""
    for done in (0, 50, 100):
        await call.context.report_progress(done, 100)
        await asyncio.sleep(PAUSE)
    return "It has run."


SIMPLE_TEXT = Tool(simple_text, title="Text", read_only=True)
IMAGE = Tool(image_content, title="An image", read_only=True)
AUDIO = Tool(audio_content, title="A sound", read_only=True)
EMBEDDED = Tool(embedded_resource, title="A resource", read_only=True)
MIXED = Tool(multiple_content_types, title="Several", read_only=True)
FAILING = Tool(error_handling, title="An error", read_only=True)
LOGGING = Tool(with_logging, title="Messages", read_only=True)
LOGGING_AT_ONCE = Tool(logging_at_once, title="A message", read_only=True)
PROGRESS = Tool(with_progress, title="Progress", read_only=True)
