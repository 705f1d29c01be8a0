"""What every request over HTTP passes first: is it for us, whose is it, is it of a bounded size."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from aisbx.errors import AisbxError, AuthError
from aisbx.hosting.addresses import host_allowed

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope

    from aisbx.engine.door import Door
    from aisbx.types import Principal

HEAD_BYTES = 32 << 10
BODY_BYTES = 8 << 20
BODY_SECONDS = 30.0
_SECRETS = frozenset({b"authorization", b"x-api-key", b"proxy-authorization", b"cookie"})
_DIGITS = 12


class RefusedError(AisbxError):
    """A request that is refused with a status of its own."""

    def __init__(self, status: int, code: str, message: str, hint: str = "", **headers: str) -> None:
        """`headers` have `_` for `-`."""
        super().__init__(message, hint=hint)
        self.status = status
        self.code = code
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def headers_of(scope: "Scope") -> dict[bytes, list[str]]:
    """Give what stands in each header, by its name in lower case; RefusedError where it is too much."""
    # uvicorn bounds a head that is not whole yet, and takes one of any size that comes in one piece.
    if sum(len(name) + len(value) for name, value in scope["headers"]) > HEAD_BYTES:
        hint = "send less, or put it into the body"
        raise RefusedError(431, "usage", f"a head has at most {HEAD_BYTES} bytes", hint, Connection="close")
    found: dict[bytes, list[str]] = {}
    for name, value in scope["headers"]:
        found.setdefault(bytes(name).lower(), []).append(bytes(value).decode("latin-1"))
    return found


def without_secrets(scope: "Scope") -> "list[tuple[bytes, bytes]]":
    """Give the headers that say nothing of how somebody was let in: no tool, route or log needs to see that."""
    return [(name, value) for name, value in scope["headers"] if bytes(name).lower() not in _SECRETS]


def check_address(
    scope: "Scope", headers: Mapping[bytes, list[str]], *, named: str, hosts: Sequence[str], origins: Sequence[str]
) -> None:
    """Raise RefusedError for a Host that is not this server's, or a page's Origin that is neither its own nor allowed.

    `named` is the name that the server was started with, `hosts` are others that it goes by.
    """
    scheme = str(scope["scheme"]).replace("ws", "http")
    asked, pages = headers.get(b"host", []), headers.get(b"origin", [])
    server: tuple[str, int] = scope.get("server") or ("", 0)
    if len(asked) != 1 or not host_allowed(asked[0], server, scheme, named, hosts):
        hint = "use the address that it was started with; whoever runs it can add one with --allow-host"
        raise RefusedError(421, "host", "this server does not go by that Host", hint, Connection="close")
    if pages and pages != [f"{scheme}://{asked[0]}"] and (len(pages) > 1 or pages[0] not in origins):
        hint = "whoever runs the server can allow it with --allow-origin"
        raise RefusedError(403, "origin", "pages from that Origin may not use this server", hint)


def keys_of(headers: Mapping[bytes, list[str]]) -> list[str]:
    """Give the keys that a request shows."""
    shown: list[str] = [*headers.get(b"x-api-key", [])]
    for value in headers.get(b"authorization", []):
        kind, _, key = value.partition(" ")
        if kind.lower() == "bearer":
            shown.append(key.strip())
    return shown


def authenticated(door: "Door", scope: "Scope", shown: Sequence[str]) -> "Principal":
    """Give whose request it is that shows these keys; RefusedError for nobody's, AdmissionError for one too many."""
    if len(set(shown)) > 1:
        raise RefusedError(400, "usage", "there is more than one key", "send one, in one header")
    client = scope.get("client")
    try:
        return door.authenticate({"key": shown[0]} if shown else {}, client[0] if client else "")
    except AuthError as error:
        challenge = 'Bearer realm="aisbx"' + (', error="invalid_token"' if shown else "")
        raise RefusedError(401, error.code, error.message, error.hint, WWW_Authenticate=challenge) from None


async def body_of(headers: Mapping[bytes, list[str]], receive: "Receive", hint: str) -> bytes | None:
    """Read the whole body, None where the client has gone; RefusedError where it is too large, or comes too slowly.

    `hint` says what to do about one that is too large.
    """
    too_large = RefusedError(413, "usage", f"a body has at most {BODY_BYTES} bytes", hint, Connection="close")
    for length in headers.get(b"content-length", []):
        if not length.isdigit() or len(length) > _DIGITS or int(length) > BODY_BYTES:
            raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    return None
                body += message.get("body", b"")
                if len(body) > BODY_BYTES:
                    raise too_large
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError:
        told = f"a body takes at most {BODY_SECONDS:.0f} s to send"
        raise RefusedError(408, "usage", told, "send it faster", Connection="close") from None


def again(body: bytes, receive: "Receive") -> "Receive":
    """Give a `receive` that begins with a body that was read already."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> "Message":
        return waiting.pop() if waiting else await receive()

    return replay
