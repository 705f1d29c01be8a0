"""One connection: finds out what it is for, has that decided, and carries it."""

import asyncio
import os
import socket
import time
from ipaddress import IPv4Address
from typing import Protocol

from aisbx_egress import head, names, socks
from aisbx_egress.answer import sorry
from aisbx_egress.peer import ClosedError, Peer
from aisbx_egress.places import Places
from aisbx_egress.rules import Decision, Request
from aisbx_egress.session import RefusedError, Session
from aisbx_egress.tunnel import ACCESS_DENIED, HTTP_PORT, TLS_PORT, carry, one_request

_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


class Host(Protocol):
    """Whose connections they are."""

    session: Session
    places: Places | None

    def forget(self, connection: "Connection") -> None:
        """Count a connection no more."""
        ...


class Connection:
    """A client's connection, and the server's once there is one."""

    def __init__(self, host: "Host", client: Peer, meant: Request | None = None) -> None:
        """Begin to serve it; `meant` is where a program wants to be that came without knowing of the proxy."""
        self.client = client
        self.began = time.monotonic()
        self.carried = False
        self.server: Peer | None = None
        self.request: Request | None = None
        self.tried = False
        """A server is being connected to."""
        self._read = False
        """What it carries passes through this process's hands."""
        self._host = host
        self._session = host.session
        client.on_lost = self._lost
        self._task = asyncio.get_running_loop().create_task(self._serve(meant))

    def begun(self) -> None:
        """Take it that this is known, and that what is carried is read: from now on it ends with its client."""
        self.carried = self._read = True

    def close(self) -> None:
        """End both sides now."""
        self._task.cancel()
        for side in (self.client, self.server):
            if side is not None and not side.lost:
                side.transport.abort()

    def overdue(self, now: float) -> str:
        """Say why it is to be closed; empty where it may go on."""
        limits = self._session.limits
        last = max(self.client.last, self.server.last if self.server else 0.0)
        if not self.carried and now - self.began > limits.opening * (2 if self.tried else 1):
            return "it took too long to say what it is for"
        if now - last > limits.idle:
            return "it was idle for too long"
        if limits.bytes and self.client.count + (self.server.count if self.server else 0) > limits.bytes:
            return "it carried more bytes than it may"
        if self.carried and self.request is not None and not self._session.rules.decide(self.request).allowed:
            return "it is no longer allowed"
        return ""

    async def _serve(self, meant: Request | None) -> None:
        try:
            if meant is not None:
                await self._direct(meant)
            elif (data := await self.client.more())[0] == socks.VERSION:
                await self._socks(data)
            else:
                await self._http(data)
            self.carried = True
        except ClosedError:
            self._finish()
        except RefusedError:  # answered where it was raised
            self._finish()
        except asyncio.CancelledError:
            raise
        except (OSError, MemoryError):  # it could not be written down, or there is no room for it
            self._finish()

    async def _socks(self, data: bytes) -> None:
        request = self._named(await socks.read(self._session, self.client, data))
        try:
            server = await self._connect(request, "socks5")
        except RefusedError as error:
            self.client.write(socks.answer(socks.UNREACHABLE if error.unreachable else socks.REFUSED))
            raise
        self.client.write(socks.answer(socks.DONE))
        await self._carry(server, request, "socks5")

    async def _http(self, data: bytes) -> None:
        via = "http"
        try:
            while (parts := head.split(data)) is None:
                data += await self.client.more()
            found = head.parse(parts[0])
            self._session.without_secrets(parts[0])
            if found.method == "CONNECT":
                via = "connect"
                request = self._named(_tunnel(found))
            else:
                host, port, path = found.destination()
                request = Request(host, port, found.method, path, found.otherwise)
        except head.HeadProblem as problem:
            refused = self._session.malformed(via, str(problem))
            self.client.write(sorry("400 Bad request", str(problem)))
            raise refused from None
        self.client.keep(parts[1])
        try:
            server = await self._connect(request, via)
        except RefusedError as error:
            self.client.write(sorry("502 Unreachable" if error.unreachable else "403 Refused by aisbx", str(error)))
            raise
        if via == "connect":
            self.client.write(_ESTABLISHED)
            await self._carry(server, request, via)
        else:
            server.relay_to(self.client)
            one_request(self._session, self.client, server, found, request, via)

    async def _direct(self, request: Request) -> None:
        """Serve who went to a name's address: in plain HTTP as to a proxy, everything else as in a tunnel."""
        decision = self._session.rules.decide(request)
        seen = decision.hidden and request.port != TLS_PORT and not self._session.reads(request)
        if request.port == HTTP_PORT or seen:
            await self._plain(request)
            return
        try:
            server = await self._connect(request, "direct")
        except RefusedError:
            if request.port == TLS_PORT:
                self.client.write(ACCESS_DENIED)
            raise
        await self._carry(server, request, "direct")

    async def _carry(self, server: Peer, request: Request, via: str) -> None:
        injector = self._session.injector
        if injector is not None and self._session.reads(request):
            from aisbx_egress.terminate import terminate  # few sandboxes have secrets, and TLS is not cheap to load

            await terminate(self._session, injector, self, server, via)
            self._finish()
        else:
            await carry(self._session, self.client, server, request, via)

    async def _plain(self, meant: Request) -> None:
        data = await self.client.more()
        try:
            while (parts := head.split(data)) is None:
                data += await self.client.more()
            found = head.parse(parts[0])
            self._session.without_secrets(parts[0])
            path = found.inner(meant.host, meant.port)
        except head.HeadProblem as problem:
            self.client.write(sorry("400 Bad request", str(problem)))
            raise self._session.refused(meant, "direct", Decision(allowed=False, reason=str(problem))) from None
        self.client.keep(parts[1])
        request = Request(meant.host, meant.port, found.method, path, found.otherwise)
        try:
            server = await self._connect(request, "direct")
        except RefusedError as error:
            self.client.write(sorry("502 Unreachable" if error.unreachable else "403 Refused by aisbx", str(error)))
            raise
        server.relay_to(self.client)
        one_request(self._session, self.client, server, found, request, "direct")

    def _named(self, request: Request) -> Request:
        """Give a request by name for one by a name's address inside: somebody has asked the resolver before."""
        name = self._host.places.name(request.host) if self._host.places is not None else ""
        return Request(name, request.port) if name else request

    async def _connect(self, request: Request, via: str) -> Peer:
        decision, found = await self._session.reach(request, via)
        loop = asyncio.get_running_loop()
        self.request, self.tried = request, True
        problem: OSError | None = None
        for address in found:
            family = socket.AF_INET if isinstance(address, IPv4Address) else socket.AF_INET6
            raw = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
            try:
                place = (str(address), request.port)
                if raw.connect_ex(place):  # not there at once: asked again, and waited for
                    await asyncio.wait_for(loop.sock_connect(raw, place), self._session.limits.opening)
            except (OSError, TimeoutError) as error:
                raw.close()
                problem = error
                continue
            except BaseException:
                raw.close()
                raise
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _, server = await loop.create_connection(Peer, sock=raw)
            server.on_lost = self._lost
            self.server = server
            if self.client.lost:
                server.transport.abort()
                raise ClosedError
            self._session.allowed(request, via, decision, address)
            return server
        told = os.strerror(problem.errno) if problem and problem.errno else "it does not answer"
        raise RefusedError(f"{request.host}:{request.port}: {told}", unreachable=True)

    def _finish(self) -> None:
        for side in (self.client, self.server):
            if side is not None and not side.lost:
                side.transport.close()

    def _lost(self) -> None:
        if self.client.lost and (self.server is None or self.server.lost):
            self._host.forget(self)
        elif self.client.lost and (self._read or not self.carried):
            self._task.cancel()
            self._finish()


def _tunnel(found: head.Head) -> Request:
    """Give what a CONNECT asks for (RFC 9110, 9.3.6)."""
    try:
        host, port = names.authority(found.target)
        if found.host and names.authority(found.host, port) != (host, port):
            raise head.HeadProblem("the Host field names another host than the request")
    except names.NameProblem as problem:
        raise head.HeadProblem(str(problem)) from None
    if found.length:
        raise head.HeadProblem("CONNECT has no body")
    return Request(host, port)
