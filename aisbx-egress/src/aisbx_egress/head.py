"""The head of an HTTP/1 request, read so that no two readers can differ over it (RFC 9112; sections in parentheses).

What a lenient reader would mend is refused: a line without CR, a folded line (5.2), a space before a colon (5.1),
a second length (6.3), a length beside chunks (6.1), an unknown coding, a second Host (3.2).
"""

import re
from dataclasses import dataclass

from aisbx_egress import names

MOST = 1 << 16
"""Bytes of a head."""
_TLS_PORT = 443
_FIELDS = 200
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LINE = re.compile(rb"([A-Z]{1,20}) ([\x21-\x7e]+) HTTP/1\.([01])")
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
_DIGITS = re.compile(rb"[0-9]{1,15}")
_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n|\0")
HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer upgrade "
    b"transfer-encoding http2-settings".split()
)
"""Fields of one connection (7.6.1): none of them goes on to the server."""

_OTHERWISE = frozenset(
    b"x-http-method-override x-http-method x-method-override x-original-url x-rewrite-url x-original-method".split()
)
"""Fields by which some servers take a request for one of another method or path."""
METHODS = frozenset(
    b"GET HEAD POST PUT DELETE PATCH OPTIONS TRACE CONNECT PROPFIND PROPPATCH MKCOL COPY MOVE LOCK UNLOCK REPORT "
    b"SEARCH MERGE QUERY".split()
)
_METHOD_SIZE = max(map(len, METHODS))


class HeadProblem(ValueError):  # noqa: N818 - it is what is wrong with a request
    """What is no request, or could be read as another one."""


@dataclass(frozen=True, slots=True)
class Head:
    """A request's head. `length` is the body's in bytes, -1 for chunks."""

    method: str
    target: str
    minor: int
    fields: tuple[tuple[bytes, bytes], ...]
    host: str
    length: int

    @property
    def otherwise(self) -> str:
        """The name of a field by which some servers take it for a request of another method or path; empty: none."""
        return next((key.decode() for key, _ in self.fields if key in _OTHERWISE), "")

    def destination(self) -> tuple[str, int, str]:
        """Give host, port and path of a request to a proxy (3.2.2); HeadProblem where target and Host differ."""
        scheme, separator, rest = self.target.partition("://")
        if not separator or scheme.lower() != "http":
            raise HeadProblem("a proxy is asked for http://HOST/PATH, or for CONNECT HOST:PORT")
        cut = min((at for at in map(rest.find, "/?") if at >= 0), default=len(rest))
        place, path = rest[:cut], rest[cut:]
        if "#" in path:
            raise HeadProblem("a request has no fragment")
        found = _authority(place, 80)
        if self.host and _authority(self.host, 80) != found:
            raise HeadProblem("the Host field names another host than the request")
        if found[1] == _TLS_PORT:
            raise HeadProblem(f"port {_TLS_PORT} is for TLS: ask for a tunnel to it")
        return *found, path if path.startswith("/") else f"/{path}"

    def inner(self, host: str, port: int) -> str:
        """Give the path of a request to the server itself (3.2.1), in a connection to `host`; HeadProblem as above."""
        if not self.host:
            raise HeadProblem("the request has no Host field")
        if _authority(self.host, port) != (host, port):
            raise HeadProblem("the Host field names another host than the connection")
        if not self.target.startswith("/"):
            if self.target == "*" and self.method == "OPTIONS":
                return self.target
            raise HeadProblem("through a connection to a server, a path is asked for")
        if "#" in self.target:
            raise HeadProblem("a request has no fragment")
        return self.target

    def rewritten(self, host: str, port: int, path: str, default: int = 80) -> bytes:
        """Give the head that goes to the server: the one request of its connection. `default` is the scheme's port."""
        named = {
            token.strip().lower() for key, value in self.fields if key == b"connection" for token in value.split(b",")
        }
        place = f"[{host}]" if ":" in host else host
        place = place if port == default else f"{place}:{port}"
        lines = [f"{self.method} {path} HTTP/1.{self.minor}".encode(), b"Host: " + place.encode()]
        lines += [
            key + b": " + value
            for key, value in self.fields
            if key not in HOP and key not in {b"host", b"content-length"} and key not in named
        ]
        if self.length < 0:
            lines.append(b"Transfer-Encoding: chunked")
        elif self.length or any(key == b"content-length" for key, _ in self.fields):
            lines.append(f"Content-Length: {self.length}".encode())
        return b"\r\n".join([*lines, b"Connection: close", b"", b""])


def begins(data: bytes) -> bool:
    """Tell whether the first bytes of a connection could be a request's: a method of HTTP's or WebDAV's, a space.

    Line ends before it, which servers pass over (RFC 9112, 2.2), are passed over here too.
    """
    data = data.lstrip(b"\r\n")
    word, space, _ = data[: _METHOD_SIZE + 1].partition(b" ")
    return word in METHODS if space else any(method.startswith(word) for method in METHODS)


def split(data: bytes) -> tuple[bytes, bytes] | None:
    """Give the head's bytes without its empty line, and what follows; None while it is not whole."""
    end = data.find(b"\r\n\r\n")
    if _BARE.search(data[: end if end >= 0 else max(0, len(data) - 1)]):
        raise HeadProblem("a line ends in CR or LF alone, or holds NUL")
    if max(end, 0) > MOST or (end < 0 and len(data) > MOST):
        raise HeadProblem("the head is too long")
    return None if end < 0 else (data[:end], data[end + 4 :])


def parse(data: bytes) -> Head:
    """Read a head, without its empty line; HeadProblem where it is none."""
    first, *lines = data.split(b"\r\n")
    matched = _LINE.fullmatch(first)
    if matched is None:
        raise HeadProblem("it is not a request line of HTTP/1")
    if len(lines) > _FIELDS:
        raise HeadProblem("the request has too many fields")
    fields = tuple(field(line) for line in lines)
    minor = int(matched[3])
    hosts = [value for key, value in fields if key == b"host"]
    if len(hosts) > 1 or (minor and not hosts):
        raise HeadProblem("a request has one Host field")
    host = hosts[0].decode("latin-1") if hosts else ""
    method, target = matched[1].decode(), matched[2].decode()
    return Head(method, target, minor, fields, host, length(fields, minor))


def field(line: bytes) -> tuple[bytes, bytes]:
    """Read a field's line, of a request or an answer: its name in lower case, its value."""
    if line[:1] in {b" ", b"\t"}:
        raise HeadProblem("a field goes over two lines")
    key, colon, value = line.partition(b":")
    if not colon or not _TOKEN.fullmatch(key):
        raise HeadProblem("a field has no name")
    value = value.strip(b" \t")
    if not _VALUE.fullmatch(value):
        raise HeadProblem("a field holds a control character")
    return key.lower(), value


def length(fields: tuple[tuple[bytes, bytes], ...], minor: int) -> int:
    """Give the length of the body in bytes, -1 for chunks, 0 where nothing is said of it."""
    lengths = [value for key, value in fields if key == b"content-length"]
    codings = [value for key, value in fields if key == b"transfer-encoding"]
    if codings:
        if lengths or not minor:
            raise HeadProblem("a body has a length or chunks, not both")
        if len(codings) > 1 or codings[0].lower() != b"chunked":
            raise HeadProblem("chunked is the one coding of a body")
        return -1
    if len(lengths) > 1 or (lengths and not _DIGITS.fullmatch(lengths[0])):
        raise HeadProblem("a body has one length, in digits")
    return int(lengths[0]) if lengths else 0


def _authority(text: str, default: int) -> tuple[str, int]:
    try:
        return names.authority(text, default)
    except names.NameProblem as problem:
        raise HeadProblem(str(problem)) from None
