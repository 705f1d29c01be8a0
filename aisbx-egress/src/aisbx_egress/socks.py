"""The SOCKS5 of a client (RFC 1928): names, and addresses that a rule names; no authentication, CONNECT only."""

from ipaddress import IPv4Address, IPv6Address

from aisbx_egress import names
from aisbx_egress.peer import Peer
from aisbx_egress.rules import Request
from aisbx_egress.session import Session

VERSION = 5
DONE, FAILED, REFUSED, UNREACHABLE = 0, 1, 2, 4
_NO_COMMAND, _NO_ADDRESS = 7, 8
_NONE_OF_THEM = 0xFF
_CONNECT = 1
_IPV4, _NAME, _IPV6 = 1, 3, 4


def answer(code: int) -> bytes:
    """Give a reply; the address that it has room for is nobody's matter."""
    return bytes([VERSION, code, 0, _IPV4, 0, 0, 0, 0, 0, 0])


async def read(session: Session, client: Peer, data: bytes) -> Request:
    """Read whom a client wants, after its first bytes; RefusedError, answered, for what is not understood."""
    stream = _Stream(client, data)
    _, count = await stream.take(2)
    if 0 not in await stream.take(count):
        client.write(bytes([VERSION, _NONE_OF_THEM]))
        raise session.malformed("socks5", "the client wants to authenticate")
    client.write(bytes([VERSION, 0]))
    version, command, _, kind = await stream.take(4)
    if version != VERSION or command != _CONNECT:
        client.write(answer(_NO_COMMAND))
        raise session.malformed("socks5", "SOCKS5 CONNECT is all there is")
    if kind == _NAME:
        raw = await stream.take((await stream.take(1))[0])
    elif kind in {_IPV4, _IPV6}:
        raw = await stream.take(4 if kind == _IPV4 else 16)
    else:
        client.write(answer(_NO_ADDRESS))
        raise session.malformed("socks5", "there is no such kind of address")
    number = int.from_bytes(await stream.take(2))
    try:
        host, port = _host(kind, raw), names.port(str(number))
    except names.NameProblem as problem:
        client.write(answer(_NO_ADDRESS))
        raise session.malformed("socks5", str(problem)) from None
    stream.put_back()
    return Request(host, port)


def _host(kind: int, raw: bytes) -> str:
    if kind == _NAME:
        return names.host(raw.decode("latin-1"))
    return str(names.plain(IPv4Address(raw) if kind == _IPV4 else IPv6Address(raw)))


class _Stream:
    """Takes so many bytes at a time."""

    def __init__(self, client: Peer, data: bytes) -> None:
        self._client = client
        self._data = data

    async def take(self, count: int) -> bytes:
        while len(self._data) < count:
            self._data += await self._client.more()
        found, self._data = self._data[:count], self._data[count:]
        return found

    def put_back(self) -> None:
        self._client.keep(self._data)
