"""A connection to the host of a secret: the proxy is the server to the client, and a client to the server.

One request for each connection, as without TLS: there is nothing to smuggle, and none that another rule was meant for.
"""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from aisbx_egress import answer as answers
from aisbx_egress import head, hello
from aisbx_egress.answer import sorry
from aisbx_egress.chunks import Chunks
from aisbx_egress.inject import Injector
from aisbx_egress.peer import ClosedError, Peer
from aisbx_egress.redact import Cover
from aisbx_egress.rules import Decision, Request
from aisbx_egress.secure import Secure
from aisbx_egress.session import RefusedError, Session
from aisbx_egress.tunnel import ACCESS_DENIED, TLS_PORT, same

_LONG = 1.0
"""Seconds in which a server says nothing: more than its words are on their way to who reads slowly on purpose."""


class Carried(Protocol):
    """The connection that it is."""

    client: Peer
    request: Request | None

    def begun(self) -> None:
        """Take it that its purpose is known: from now on it may take its time, and ends with its client."""
        ...


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request that may be sent: its head as the server gets it, what came after it, and what must not come back."""

    request: Request
    length: int
    first: bytes
    rest: bytes
    hidden: tuple[bytes, ...]


async def terminate(session: Session, injector: Injector, connection: Carried, server: Peer, via: str) -> None:
    """Carry a connection whose server is connected already; RefusedError where it may not be, which has been told."""
    request = connection.request
    assert request is not None  # noqa: S101 - for the type checker: a server is connected to for a request
    client = await _client(session, injector, connection.client, request, via)
    try:
        asked = await _asked(session, injector, client, request, via)
        connection.request = request = asked.request
        upstream = await _server(session, injector, server, request, via)
        connection.begun()
        await _exchange(client, upstream, asked, lambda status: session.answered(asked.request, via, status))
    except (RefusedError, head.HeadProblem) as error:
        refused = error if isinstance(error, RefusedError) else _refused(session, request, via, str(error))
        if not client.wrote:
            await client.write(sorry("403 Refused by aisbx", str(refused)))
            client.end()
        raise refused from None
    client.end()


async def _client(session: Session, injector: Injector, peer: Peer, request: Request, via: str) -> Secure:
    data = await peer.more()
    if not hello.begins(data):
        raise _refused(session, request, via, "a host that gets a secret is spoken to in TLS")
    try:
        while (found := hello.read(data)) is None:
            data += await peer.more()
        same(found.name, request.host)
    except hello.HelloProblem as problem:
        peer.write(ACCESS_DENIED)
        raise _refused(session, request, via, str(problem)) from None
    peer.keep(data)
    client = Secure(peer, injector.issuer.context(request.host), server_side=True)
    try:
        await client.handshake()
    except ssl.SSLError as error:
        reason = f"the client does not take the sandbox's certificate authority: {_said(error)}"
        raise _refused(session, request, via, reason) from None
    return client


async def _server(session: Session, injector: Injector, peer: Peer, request: Request, via: str) -> Secure:
    server = Secure(peer, injector.trust, name=request.host)
    try:
        await server.handshake()
    except ssl.SSLError as error:
        raise _refused(session, request, via, f"the server's TLS: {_said(error)}") from None
    return server


async def _asked(session: Session, injector: Injector, client: Secure, meant: Request, via: str) -> _Asked:
    """Read a request and decide on it."""
    data = b""
    try:
        while (parts := head.split(data)) is None:
            got = await client.read()
            if not got:
                raise ClosedError
            data += got
        found = head.parse(parts[0])
        path = found.inner(meant.host, meant.port)
    except head.HeadProblem as problem:
        raise _refused(session, meant, via, str(problem)) from None
    request = Request(meant.host, meant.port, found.method, path, found.otherwise)
    decision = session.rules.decide(request)
    if not decision.allowed:
        raise session.refused(request, via, decision)
    try:
        found, names, hidden = injector.inject(found, request)
    except head.HeadProblem as problem:
        raise _refused(session, request, via, str(problem)) from None
    session.sent(request, via, decision, names)
    first = found.rewritten(request.host, request.port, path, TLS_PORT)
    return _Asked(request, found.length, first, parts[1], (*injector.hidden, *hidden))


async def _exchange(client: Secure, server: Secure, asked: _Asked, said: Callable[[int], None]) -> None:
    """Pass the body one way and the answer the other, until the answer has ended; its status is `said`."""
    loop = asyncio.get_running_loop()
    body = loop.create_task(_body(client, server, asked))
    answer = loop.create_task(_answer(client, server, asked, said))
    try:
        await asyncio.wait({body, answer}, return_when=asyncio.FIRST_COMPLETED)
        if body.done() and not answer.done() and isinstance(error := body.exception(), head.HeadProblem):
            raise error
        await answer  # also of a server that took no more of the body
    finally:
        for task in (body, answer):
            task.cancel()
        await asyncio.gather(body, answer, return_exceptions=True)


async def _body(client: Secure, server: Secure, asked: _Asked) -> None:
    """Send the head and the body, no more: what follows would be another request."""
    await server.write(asked.first)
    chunks, left, data = Chunks(), asked.length, asked.rest
    while left:
        if not data and not (data := await client.read()):
            raise head.HeadProblem("the request's body is cut off")
        if left > 0:
            data = data[:left]
            left -= len(data)
        else:
            data = chunks.take(data)
            left = 0 if chunks.done else left
        await server.write(data)
        data = b""


async def _answer(client: Secure, server: Secure, asked: _Asked, said: Callable[[int], None]) -> None:
    found, data = await _answer_head(client, server, asked)
    said(found.status)
    cover, chunks, left = Cover(asked.hidden), answers.Unchunked(), found.length
    chunked = left == answers.CHUNKS
    while left:
        if not data and not (data := await _read(client, server, cover, chunked=chunked)):
            if left == answers.UNTIL_CLOSE:
                break
            raise ClosedError
        if left > 0:
            data = data[:left]
            left -= len(data)
        elif chunked:
            data = chunks.take(data)
            left = 0 if chunks.done else left
        passed, data = cover.take(data), b""
        await client.write(answers.chunk(passed) if chunked else passed)
    passed = cover.flush()
    await client.write(answers.chunk(passed) + answers.LAST if chunked else passed)


async def _read(client: Secure, server: Secure, cover: Cover, *, chunked: bool) -> bytes:
    """Read on; where nothing comes for long, what is kept back goes to the client first: it may wait for that."""
    reading = asyncio.get_running_loop().create_task(server.read())
    try:
        if cover.keeps and not (await asyncio.wait({reading}, timeout=_LONG))[0]:
            passed = cover.flush()
            await client.write(answers.chunk(passed) if chunked else passed)
        return await reading
    finally:
        reading.cancel()


async def _answer_head(client: Secure, server: Secure, asked: _Asked) -> tuple[answers.Answer, bytes]:
    """Pass on the head of the answer, and those before it; gives it, and what came after it."""
    data = b""
    while True:
        while (parts := head.split(data)) is None:
            got = await server.read()
            if not got:
                raise ClosedError
            data += got
        found, data = answers.parse(parts[0], asked.request.method), parts[1]
        await client.write(found.rewritten(asked.hidden))
        if not found.interim:
            return found, data


def _refused(session: Session, request: Request, via: str, reason: str) -> RefusedError:
    return session.refused(request, via, Decision(allowed=False, reason=reason))


def _said(error: ssl.SSLError) -> str:
    verify = error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else ""
    return verify or (error.reason or "it failed").replace("_", " ").lower()
