"""A connection to a server whose bytes are passed on, once it is certain whom they are for."""

import re
from collections.abc import Callable

from aisbx_egress import head, hello, names
from aisbx_egress.chunks import Chunks
from aisbx_egress.peer import Peer
from aisbx_egress.rules import Decision, Request
from aisbx_egress.session import Session

TLS_PORT, HTTP_PORT = 443, 80
_REQUEST = re.compile(rb"\S+[ \t]+\S.*HTTP/[0-9]")
_TEXT = re.compile(rb"[\t\r\x20-\xff]*")
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})")
_STATUS_SIZE = 12
_LONGEST = 1 << 14
"""Bytes of a line."""
ACCESS_DENIED = bytes([21, 3, 3, 0, 2, 2, 49])
"""What TLS has for a refusal, a fatal alert (RFC 8446, 6.2): clients show its name."""


async def carry(session: Session, client: Peer, server: Peer, request: Request, via: str) -> None:
    """Look at the client's first bytes, then pass everything on. RefusedError for another name than the request's.

    The server may speak first. On port 443 the client must speak TLS, on port 80 HTTP; elsewhere whatever begins as one
    of the two is held to it, and anything else is the server's own matter.
    """
    server.relay_to(client)
    data = await client.more()
    try:
        if request.port == TLS_PORT or hello.begins(data):
            while (found := hello.read(data)) is None:
                data += await client.more()
            same(found.name, request.host)
        elif request.port == HTTP_PORT or head.begins(data):
            while b" " not in data and head.begins(data):  # the method's end
                data += await client.more()
            if request.port == HTTP_PORT or head.begins(data):
                await _http(session, client, server, request, via, data)
                return
    except (hello.HelloProblem, head.HeadProblem) as problem:
        if hello.begins(data) and not server.count:
            client.write(ACCESS_DENIED)
        raise session.refused(request, via, Decision(allowed=False, reason=str(problem))) from None
    client.keep(data)
    client.relay_to(server, _NoRequest(session, request, via))


class _NoRequest:
    """Lets by what is no request of HTTP. One of a method that nobody knows, servers may answer as any other."""

    def __init__(self, session: Session, request: Request, via: str) -> None:
        self._said = (session, request, via)
        self._line: bytes | None = b""
        """What came of the first line; None once it is known to be none of a request."""

    def __call__(self, data: bytes) -> bytes:
        if self._line is None:
            return data
        self._line = (self._line + data[:_LONGEST]).lstrip(b"\r\n")
        line, end, _ = self._line.partition(b"\n")
        if end and _REQUEST.match(line):
            session, request, via = self._said
            reason = "it is a request of an unknown method"
            session.refused(request, via, Decision(allowed=False, reason=reason))
            raise head.HeadProblem(reason)
        if end or len(line) >= _LONGEST or not _TEXT.fullmatch(line):
            self._line = None
        return data


def same(name: str, host: str) -> None:
    """Hold the name of a handshake to the one that was asked for; an address has none (RFC 6066, 3)."""
    wanted = "" if names.address(host) is not None else host
    try:
        found = names.host(name) if name else ""
    except names.NameProblem as problem:
        raise hello.HelloProblem(str(problem)) from None
    if found != wanted:
        shown = names.shown(name) if name else "no name"
        raise hello.HelloProblem(f"the handshake asks for {shown}")


async def _http(session: Session, client: Peer, server: Peer, request: Request, via: str, data: bytes) -> None:
    while (parts := head.split(data)) is None:
        data += await client.more()
    found = head.parse(parts[0])
    session.without_secrets(parts[0])
    path = found.inner(request.host, request.port)
    client.keep(parts[1])
    asked = Request(request.host, request.port, found.method, path, found.otherwise)
    one_request(session, client, server, found, asked, via)


def one_request(session: Session, client: Peer, server: Peer, found: head.Head, request: Request, via: str) -> None:
    """Send a request's head and pass on its body, and nothing beyond: what follows would be another request.

    The status of its answer is told to the session.
    """
    server.sift_with(_Status(lambda status: session.answered(request, via, status)))
    server.write(found.rewritten(request.host, request.port, request.path))
    client.relay_to(server, _body(found))


def _body(found: head.Head) -> Callable[[bytes], bytes]:
    return Chunks().take if found.length < 0 else _Counted(found.length)


class _Status:
    """Lets everything by, and says the status of the answer in it, of those that come in one (RFC 9110, 15.2) the last.

    What is no answer of HTTP has none.
    """

    def __init__(self, said: Callable[[int], None]) -> None:
        self._said = said
        self._head: bytes | None = b""
        """What came of an answer's head; None once that is known, or it is none."""

    def __call__(self, data: bytes) -> bytes:
        if self._head is not None:
            self._head = self._look(self._head + data[:_LONGEST])
        return data

    def _look(self, data: bytes) -> bytes | None:
        while len(data) >= _STATUS_SIZE:
            matched = _STATUS.match(data)
            if matched is None:
                return None
            if matched[1] >= b"200":
                self._said(int(matched[1]))
                return None
            _, end, rest = data.partition(b"\r\n\r\n")
            if not end:
                return data if len(data) < _LONGEST else None
            data = rest
        return data


class _Counted:
    """Lets so many bytes by."""

    def __init__(self, left: int) -> None:
        self._left = left

    def __call__(self, data: bytes) -> bytes:
        passed = data[: self._left]
        self._left -= len(passed)
        return passed
