"""The first message of a TLS connection, the ClientHello, as far as it says whom the client means (RFC 8446, RFC 6066).

It may be spread over many records, and those over many segments: until it is whole, nothing is sent.
"""

from dataclasses import dataclass

MOST = 1 << 15
"""Bytes of a ClientHello with its records: with the largest keys of today one has about 2 kB."""
_HANDSHAKE, _CLIENT_HELLO = 22, 1
_RECORD, _HEADER, _RECORDS = 1 << 14, 5, 64
_SERVER_NAME, _ENCRYPTED = 0, 0xFE0D
_HOST_NAME = 0


class HelloProblem(ValueError):  # noqa: N818 - it is what is wrong with a message
    """What is no ClientHello, or one that hides whom the client means."""


@dataclass(frozen=True, slots=True)
class Hello:
    """`name` is the server's name as the client sent it, empty where it sent none."""

    name: str


def begins(data: bytes) -> bool:
    """Tell whether the first bytes of a connection could be those of a TLS record with a handshake in it."""
    return data[:1] == bytes([_HANDSHAKE]) and data[1:2] in {b"", b"\x03"}


def read(data: bytes) -> Hello | None:
    """Read what has come so far; None while it is not whole. HelloProblem for what is none."""
    message, position, records = b"", 0, 0
    while position < len(data):
        rest = data[position : position + _HEADER]
        if not begins(rest):
            raise HelloProblem("it does not begin a TLS connection")
        size = int.from_bytes(rest[3:])
        end = position + _HEADER + size
        if len(rest) < _HEADER or end > len(data):
            break
        records += 1
        if not 0 < size <= _RECORD or records > _RECORDS:
            raise HelloProblem("its TLS records have no size that is of use")
        message += data[position + _HEADER : end]
        position = end
        if message[0] != _CLIENT_HELLO:
            raise HelloProblem("it is not a ClientHello")
        whole = 4 + int.from_bytes(message[1:4])  # type and length
        if len(message) == whole and whole > 4:  # noqa: PLR2004
            return _hello(_Reader(message[4:]))
        if len(message) >= 4 and whole < len(message):  # noqa: PLR2004
            raise HelloProblem("something follows the ClientHello in its record")
    if len(data) > MOST:
        raise HelloProblem("the ClientHello has no end")
    return None


class _Reader:
    """Takes fields off the front of a message; HelloProblem where it ends too early."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def more(self) -> bool:
        return self._at < len(self._data)

    def take(self, count: int) -> bytes:
        end = self._at + count
        if end > len(self._data):
            raise HelloProblem("the ClientHello is cut off")
        found, self._at = self._data[self._at : end], end
        return found

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size))

    def vector(self, size: int) -> bytes:
        return self.take(self.number(size))


def _hello(reader: _Reader) -> Hello:
    reader.take(2 + 32)  # legacy_version, random
    for size in (1, 2, 1):  # legacy_session_id, cipher_suites, legacy_compression_methods
        reader.vector(size)
    if not reader.more:
        return Hello("")
    extensions = _Reader(reader.vector(2))
    if reader.more:
        raise HelloProblem("something follows the ClientHello's extensions")
    found: dict[int, bytes] = {}
    while extensions.more:
        kind = extensions.number(2)
        if kind in found:
            raise HelloProblem("the ClientHello has an extension twice")
        found[kind] = extensions.vector(2)
    if _ENCRYPTED in found:
        raise HelloProblem("the server's name is encrypted (ECH), switch that off in the client")
    return Hello(_server_name(found[_SERVER_NAME]) if _SERVER_NAME in found else "")


def _server_name(data: bytes) -> str:
    outer = _Reader(data)
    entries = _Reader(outer.vector(2))
    if outer.more or not entries.more:
        raise HelloProblem("the server's name is not spelled as it should be")
    kind, name = entries.number(1), entries.vector(2)
    if kind != _HOST_NAME or entries.more:
        raise HelloProblem("there is more than one server's name")
    try:
        return name.decode("ascii")
    except UnicodeDecodeError:
        raise HelloProblem("the server's name is not ASCII") from None
