"""The resolver of the inside: names that rules allow have an address there, all others do not exist."""

import asyncio
import socket
from ipaddress import IPv4Address
from typing import cast

from aisbx_egress import names, question
from aisbx_egress.places import PlaceProblem, Places
from aisbx_egress.question import Question
from aisbx_egress.rules import Decision, Request
from aisbx_egress.session import Session

_ASKING = 32
"""Connections at once that ask for names."""
_PATIENCE = 10.0
"""Seconds that one of them lasts."""
_REVERSE = ".in-addr.arpa"


class Resolver:
    """Answers one sandbox's questions."""

    def __init__(self, session: Session, places: Places) -> None:
        """Answer nothing yet."""
        self._session = session
        self._places = places
        self.asking = 0

    async def serve(
        self, datagrams: socket.socket, queries: socket.socket
    ) -> list[asyncio.BaseTransport | asyncio.Server]:
        """Begin to answer; what is given is to be closed."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), sock=datagrams)
        return [transport, await loop.create_server(lambda: _Stream(self), sock=queries)]

    def answer(self, message: bytes) -> bytes:
        """Give the answer to a message, empty for none."""
        return question.answered(message, self._know)

    def _know(self, asked: Question) -> tuple[int, IPv4Address | str | None]:
        lower = asked.name.lower()
        if lower.endswith(".arpa"):  # from an address to its name: nobody is reached by that
            return self._reverse(lower) if asked.kind == question.PTR else (question.NO_SUCH_NAME, None)
        try:
            host = names.host(asked.name)
        except names.NameProblem:
            return question.NO_SUCH_NAME, None
        try:
            return self._lead(host, asked.kind)
        except OSError:  # it could not be written down
            return question.FAILED, None

    def _lead(self, host: str, kind: int) -> tuple[int, IPv4Address | None]:
        ports = self._session.rules.ports(host) if names.address(host) is None else ()
        request = Request(host, 0)
        if not ports:
            self._session.refused(request, "dns", self._session.rules.decide(request))
            return question.NO_SUCH_NAME, None
        if kind not in {question.A, question.ANY}:
            return question.NO_ERROR, None
        try:
            return question.NO_ERROR, self._places.lead(host, ports)
        except PlaceProblem as problem:
            self._session.refused(request, "dns", Decision(allowed=False, reason=str(problem)))
            return question.FAILED, None

    def _reverse(self, name: str) -> tuple[int, str | None]:
        found = self._places.name(".".join(reversed(name.removesuffix(_REVERSE).split("."))))
        return (question.NO_ERROR, found) if found else (question.NO_SUCH_NAME, None)


class _Datagrams(asyncio.DatagramProtocol):
    """Questions in a datagram each."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)  # Python 3.11's own is none by name

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if answer := self._resolver.answer(data):
            self._transport.sendto(answer, addr)


class _Stream(asyncio.Protocol):
    """Questions over a connection, each after its length (RFC 1035, 4.2.2)."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._data = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for the type checker
        self._transport = transport
        self._resolver.asking += 1
        if self._resolver.asking > _ASKING:
            transport.abort()
        else:
            asyncio.get_running_loop().call_later(_PATIENCE, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._resolver.asking -= 1

    def data_received(self, data: bytes) -> None:
        self._data += data
        while len(self._data) > 2 and len(self._data) >= (end := 2 + int.from_bytes(self._data[:2])):  # noqa: PLR2004
            answer = self._resolver.answer(self._data[2:end])
            self._data = self._data[end:]
            self._transport.write(len(answer).to_bytes(2) + answer if answer else b"")
        if len(self._data) > 2 and int.from_bytes(self._data[:2]) > 512:  # noqa: PLR2004 - no name is that long
            self._transport.abort()

    def pause_writing(self) -> None:
        self._transport.abort()  # it asks, and does not listen
