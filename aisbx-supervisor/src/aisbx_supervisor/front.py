"""What every request passes first: is it for us, whose is it, is it of a bounded size, was it made before."""

import asyncio
import hashlib
import logging
import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from aisbx.errors import AisbxError
from aisbx.hosting.addresses import is_loopback
from aisbx.hosting.principals import local
from aisbx.hosting.requests import (
    RefusedError,
    again,
    authenticated,
    body_of,
    check_address,
    headers_of,
    keys_of,
    without_secrets,
)
from aisbx.hosting.traces import HEADER, carried
from aisbx.types import Principal
from starlette.responses import Response

from aisbx_supervisor.asked import PRINCIPAL
from aisbx_supervisor.connection import PEER
from aisbx_supervisor.once import LARGEST, Answer
from aisbx_supervisor.problems import problem, status_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from aisbx_supervisor.service import Service

OPEN = frozenset({"/health", "/metrics"})
"""What needs no key from this machine."""
STREAMED = "/files"
"""How paths end whose PUT has a body that is read as it comes."""
LARGE = "files are written with PUT .../files, which takes more"
SEND_SECONDS = 60.0
"""So long may a client take to accept a part of an answer."""
_ADDRESS_BYTES = 8 << 10
_KEY = re.compile(rb"aisbx_[0-9a-f]{12}_")
TOLD_ONCE = "/keys"
"""How the path ends that answers with what is kept nowhere."""
_CREATED = 201


class Front:
    """An ASGI application around the one with the routes."""

    def __init__(self, app: "ASGIApp", service: "Service") -> None:
        """Serve `app` to those who may."""
        self._app = app
        self._service = service

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Serve a request, or refuse it."""
        if scope["type"] not in {"http", "websocket"}:
            return
        began, status = time.monotonic(), 0

        async def sending(message: "Message") -> None:
            nonlocal status
            if message["type"] in {"http.response.start", "websocket.http.response.start"}:
                status = int(message["status"])
                message = {**message, "headers": [*message.get("headers", []), *_FIXED, *self._shared(scope)]}
            elif message["type"] == "websocket.accept":
                status = 101
            async with asyncio.timeout(SEND_SECONDS):
                await send(message)

        try:
            await self._serve(scope, receive, sending)
        except AisbxError as error:
            self._service.metrics.errors.labels(error.code).inc()
            await _answer(error, scope, receive, sending)
        except TimeoutError:
            return  # who does not take an answer has none
        finally:
            method = "WEBSOCKET" if scope["type"] == "websocket" else scope["method"]
            route = self._service.route_of(scope["path"], getattr(scope.get("route"), "path", ""))
            self._service.metrics.request(method, route, status, time.monotonic() - began)

    async def _serve(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        service, headers = self._service, headers_of(scope)
        self._check_address(scope, headers)
        if scope.get("method") == "OPTIONS" and b"access-control-request-method" in headers and self._shared(scope):
            await Response(status_code=204, headers=_ASKED)(scope, receive, send)
            return
        if scope["path"] in OPEN and _is_near(scope) and not keys_of(headers):
            await self._app(scope, receive, send)
            return
        principal = self._principal(scope, headers)
        body: bytes | None = b""
        if scope["type"] == "http" and not (scope["method"] == "PUT" and scope["path"].endswith(STREAMED)):
            body = await body_of(headers, receive, LARGE)
            if body is None:
                return
            receive = again(body, receive)
        named = headers.get(HEADER.encode(), [])
        traced = carried({HEADER: named[0]} if len(named) == 1 else {})
        with traced, service.present.serving(principal), service.door.serving(principal):
            await self._pass_on(_known(scope, principal), headers, body, receive, send)

    async def _pass_on(
        self, scope: "Scope", headers: Mapping[bytes, list[str]], body: bytes, receive: "Receive", send: "Send"
    ) -> None:
        keys = headers.get(b"idempotency-key", [])
        if not keys or scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        if any("text/event-stream" in value for value in headers.get(b"accept", [])):
            hint = "POST .../processes with the key, then GET .../processes/ID/events"
            raise RefusedError(400, "usage", "a stream cannot be repeated, so it takes no Idempotency-Key", hint)
        if len(keys) > 1:
            raise RefusedError(400, "usage", "there is more than one Idempotency-Key", "send one")
        await self._once(scope, keys[0], body, receive, send)

    async def _once(self, scope: "Scope", key: str, body: bytes, receive: "Receive", send: "Send") -> None:
        once, who = self._service.once, scope[PRINCIPAL].id
        words = b"\0".join((scope["path"].encode(), bytes(scope.get("query_string", b"")), body))
        fingerprint = hashlib.sha256(words).hexdigest()
        token, given = once.begin(who, key, fingerprint)
        if given is not None:
            pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in given.headers]
            pairs.append((b"idempotency-replayed", b"true"))
            await send({"type": "http.response.start", "status": given.status, "headers": pairs})
            await send({"type": "http.response.body", "body": given.body})
            return
        answer, whole = Answer(0), False

        async def noting(message: "Message") -> None:
            nonlocal whole
            if message["type"] == "http.response.start":
                answer.status = int(message["status"])
                answer.headers = [
                    (bytes(name).decode("latin-1"), bytes(value).decode("latin-1"))
                    for name, value in message.get("headers", [])
                ]
            elif message["type"] == "http.response.body":
                whole = not message.get("more_body", False)
                if len(answer.body) <= LARGEST:
                    answer.body += message.get("body", b"")
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            # Cut off before it was answered, nobody knows how far it came: it is not done again.
            secret = scope["path"].endswith(TOLD_ONCE) and answer.status == _CREATED
            try:
                once.end(token, fingerprint, answer if whole else None, secret=secret)
            except AisbxError as error:  # it was answered; what is kept says that it was begun, and is not done again
                _log.warning("an answer cannot be kept for its Idempotency-Key: %s", error.message)

    def _check_address(self, scope: "Scope", headers: Mapping[bytes, list[str]]) -> None:
        query = bytes(scope.get("query_string", b""))
        if len(query) + len(scope.get("raw_path") or b"") > _ADDRESS_BYTES:
            raise RefusedError(413, "usage", "the address is too long", "put it into the body")
        if _KEY.search(query) or _KEY.search(scope.get("raw_path") or b""):
            hint = "keys go into the header Authorization; revoke one that was in an address: logs have seen it"
            raise RefusedError(400, "usage", "there is a key in the address", hint)
        if _peer(scope) is not None:
            return  # no page of a browser reaches a Unix socket
        options = self._service.options
        check_address(scope, headers, named=options.host, hosts=options.hosts, origins=options.origins)

    def _shared(self, scope: "Scope") -> list[tuple[bytes, bytes]]:
        """Give what has a browser show an answer to a page of another origin that may have it (fetch, CORS)."""
        pages = [bytes(value) for name, value in scope["headers"] if bytes(name).lower() == b"origin"]
        if len(pages) != 1 or pages[0].decode("latin-1") not in self._service.options.origins:
            return []
        return [(b"access-control-allow-origin", pages[0]), *_SHOWN]

    def _principal(self, scope: "Scope", headers: Mapping[bytes, list[str]]) -> Principal:
        shown = keys_of(headers)
        if not shown and (not self._service.options.auth or _peer(scope) in {0, local_uid()}):
            return local()
        return authenticated(self._service.door, scope, shown)


_log = logging.getLogger("aisbx")
_FIXED = [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]
_SHOWN = [
    (b"access-control-expose-headers", b"Aisbx-Process, Content-Range, Idempotency-Replayed, Location, Retry-After"),
    (b"vary", b"Origin"),
]
_ASKED = {
    "Access-Control-Allow-Methods": "GET, POST, PUT, DELETE",
    "Access-Control-Allow-Headers": "Authorization, X-API-Key, Content-Type, Idempotency-Key, Last-Event-ID, Range",
    "Access-Control-Max-Age": "600",
}
"""What a browser is told that asks first, without the key (a preflight request)."""


def local_uid() -> int:
    """Give the uid of the user whom the server runs as."""
    return int(local().id.partition(":")[2])


def _peer(scope: "Scope") -> int | None:
    """Give the uid of who came by a Unix socket."""
    client = scope.get("client")
    return int(client[0].removeprefix(PEER)) if client and client[0].startswith(PEER) else None


def _is_near(scope: "Scope") -> bool:
    client = scope.get("client")
    return _peer(scope) is not None or bool(client and is_loopback(client[0]))


def _known(scope: "Scope", principal: Principal) -> "Scope":
    """Put into the scope whose it is, and take out what they showed: no route and no log needs to see that.

    The same object, for it will say which route was taken.
    """
    scope["headers"] = without_secrets(scope)
    scope[PRINCIPAL] = principal
    return scope


async def _answer(error: AisbxError, scope: "Scope", receive: "Receive", send: "Send") -> None:
    if scope["type"] == "websocket" and "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008, "reason": error.code})
        return
    response = problem(error)
    if scope["type"] == "http" and status_of(error) in {408, 413, 421}:
        response.headers["connection"] = "close"  # whatever else is on its way of that request is not read
    await response(scope, receive, send)
