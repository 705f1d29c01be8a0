"""What every request passes first: is it for us, whose is it, is it of a bounded size, was it made before."""

import asyncio
import hashlib
import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from aisbx.errors import AisbxError, AuthError
from aisbx.hosting.addresses import host_allowed, is_loopback
from aisbx.types import Principal

from aisbx_supervisor.asked import PRINCIPAL
from aisbx_supervisor.connection import PEER
from aisbx_supervisor.once import LARGEST, Answer
from aisbx_supervisor.problems import RefusedError, problem, status_of
from aisbx_supervisor.service import local

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from aisbx_supervisor.service import Service

OPEN = frozenset({"/health", "/metrics"})
"""What needs no key from this machine."""
STREAMED = "/files"
"""How paths end whose PUT has a body that is read as it comes."""
BODY_BYTES = 8 << 20
BODY_SECONDS = 30.0
SEND_SECONDS = 60.0
"""So long may a client take to accept a part of an answer."""
_ADDRESS_BYTES = 8 << 10
_KEY = re.compile(rb"aisbx_[0-9a-f]{12}_")
_SECRETS = frozenset({b"authorization", b"x-api-key", b"proxy-authorization", b"cookie"})
_AGAIN = frozenset({401, 408, 413, 421, 429})
"""Statuses of requests that were not done: the same key may be used again."""
_FAILED = 500


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
                message = {**message, "headers": [*message.get("headers", []), *_FIXED]}
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
            route = self._service.route_of(scope["path"])
            self._service.metrics.request(method, route, status, time.monotonic() - began)

    async def _serve(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        service, headers = self._service, _headers(scope)
        self._check_address(scope, headers)
        if scope["path"] in OPEN and _is_near(scope) and not _shown(headers):
            await self._app(scope, receive, send)
            return
        principal = self._principal(scope, headers)
        body: bytes | None = b""
        if scope["type"] == "http" and not (scope["method"] == "PUT" and scope["path"].endswith(STREAMED)):
            body = await _body(headers, receive)
            if body is None:
                return
            receive = _again(body, receive)
        with service.present(principal) as presence, service.door.serving(principal):
            try:
                await self._pass_on(_known(scope, principal), headers, body, receive, send)
            except asyncio.CancelledError:
                if not presence.over:
                    raise

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
        answer = Answer(0)

        async def noting(message: "Message") -> None:
            if message["type"] == "http.response.start":
                answer.status = int(message["status"])
                answer.headers = [
                    (bytes(name).decode("latin-1"), bytes(value).decode("latin-1"))
                    for name, value in message.get("headers", [])
                ]
            elif message["type"] == "http.response.body" and len(answer.body) <= LARGEST:
                answer.body += message.get("body", b"")
            await send(message)

        kept: Answer | None = answer
        try:
            await self._app(scope, receive, noting)
        finally:
            if answer.status == 0 or answer.status in _AGAIN or answer.status >= _FAILED:
                kept = None
            once.end(token, fingerprint, kept)

    def _check_address(self, scope: "Scope", headers: Mapping[bytes, list[str]]) -> None:
        query = bytes(scope.get("query_string", b""))
        if len(query) + len(scope.get("raw_path") or b"") > _ADDRESS_BYTES:
            raise RefusedError(413, "usage", "the address is too long", "put it into the body")
        if _KEY.search(query) or _KEY.search(scope.get("raw_path") or b""):
            hint = "keys go into the header Authorization; revoke one that was in an address: logs have seen it"
            raise RefusedError(400, "usage", "there is a key in the address", hint)
        if _peer(scope) is not None:
            return  # no page of a browser reaches a Unix socket
        options, scheme = self._service.options, scope["scheme"].replace("ws", "http")
        hosts, origins = headers.get(b"host", []), headers.get(b"origin", [])
        server: tuple[str, int] = scope.get("server") or ("", 0)
        if len(hosts) != 1 or not host_allowed(hosts[0], server, scheme, options.host, options.hosts):
            hint = "use the address that it was started with; whoever runs it can add one with --allow-host"
            raise RefusedError(421, "host", "this server does not go by that Host", hint, Connection="close")
        own = [f"{scheme}://{hosts[0]}"]
        if origins and origins != own and (len(origins) > 1 or origins[0] not in options.origins):
            hint = "whoever runs the server can allow it with --allow-origin"
            raise RefusedError(403, "origin", "pages from that Origin may not use this server", hint)

    def _principal(self, scope: "Scope", headers: Mapping[bytes, list[str]]) -> Principal:
        shown = _shown(headers)
        if not shown and (not self._service.options.auth or _peer(scope) in {0, local_uid()}):
            return local()
        if len(set(shown)) > 1:
            raise RefusedError(400, "usage", "there is more than one key", "send one, in one header")
        client = scope.get("client")
        try:
            return self._service.door.authenticate({"key": shown[0]} if shown else {}, client[0] if client else "")
        except AuthError as error:
            challenge = 'Bearer realm="aisbx"' + (', error="invalid_token"' if shown else "")
            raise RefusedError(401, error.code, error.message, error.hint, WWW_Authenticate=challenge) from None


_FIXED = [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]


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


def _shown(headers: Mapping[bytes, list[str]]) -> list[str]:
    shown: list[str] = [*headers.get(b"x-api-key", [])]
    for value in headers.get(b"authorization", []):
        kind, _, key = value.partition(" ")
        if kind.lower() == "bearer":
            shown.append(key.strip())
    return shown


def _headers(scope: "Scope") -> dict[bytes, list[str]]:
    found: dict[bytes, list[str]] = {}
    for name, value in scope["headers"]:
        found.setdefault(bytes(name).lower(), []).append(bytes(value).decode("latin-1"))
    return found


async def _body(headers: Mapping[bytes, list[str]], receive: "Receive") -> bytes | None:
    """Read the whole body; None where the client has gone."""
    hint = "files are written with PUT .../files, which takes more"
    too_large = RefusedError(413, "usage", f"a body has at most {BODY_BYTES} bytes", hint, Connection="close")
    for length in headers.get(b"content-length", []):
        if not length.isdigit() or len(length) > 12 or int(length) > BODY_BYTES:  # noqa: PLR2004 - digits
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


def _again(body: bytes, receive: "Receive") -> "Receive":
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> "Message":
        return waiting.pop() if waiting else await receive()

    return replay


def _known(scope: "Scope", principal: Principal) -> "Scope":
    """Put into the scope whose it is, and take out what they showed: no route and no log needs to see that.

    The same object, for it will say which route was taken.
    """
    scope["headers"] = [(name, value) for name, value in scope["headers"] if bytes(name).lower() not in _SECRETS]
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
