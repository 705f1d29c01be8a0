"""A server's answer, read so that it can be passed on with nothing of a secret in it (RFC 9112; sections in brackets).

What two readers could take for different answers is refused, as in `head`; so is a body that is compressed although
that was not asked for, in which nothing could be found.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from aisbx_egress.head import HOP, HeadProblem, field, length
from aisbx_egress.redact import covered

_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]*))?")
_FIELDS = 500
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,12})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?")
_LONGEST = 1 << 14
"""Bytes of a line between chunks, and of all trailers."""
_NO_CONTENT, _NOT_MODIFIED, _SWITCHING = 204, 304, 101
_DROPPED = HOP | {b"alt-svc"}
"""Another way to the server would lead around the proxy."""
_COMPRESSIONS = ("br", "compress", "deflate", "gzip", "zstd")
CHUNKS, UNTIL_CLOSE = -1, -2


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of an answer. `length` is the body's in bytes, `CHUNKS`, or `UNTIL_CLOSE`."""

    status: int
    minor: int
    reason: bytes
    fields: tuple[tuple[bytes, bytes], ...]
    length: int

    @property
    def interim(self) -> bool:
        """Whether another one follows."""
        return self.status < 200  # noqa: PLR2004 - informational (RFC 9110, 15.2)

    def rewritten(self, hidden: Iterable[bytes]) -> bytes:
        """Give the head that goes to the client, with `hidden` covered."""
        hidden = tuple(hidden)
        named = {
            token.strip().lower() for key, value in self.fields if key == b"connection" for token in value.split(b",")
        }
        lines = [f"HTTP/1.{self.minor} {self.status} ".encode() + covered(self.reason, hidden)]
        lines += [
            covered(key, hidden) + b": " + covered(value, hidden)
            for key, value in self.fields
            if key not in _DROPPED and key not in named
        ]
        if self.length == CHUNKS:
            lines.append(b"transfer-encoding: chunked")
        if not self.interim:
            lines.append(b"connection: close")
        return b"\r\n".join([*lines, b"", b""])


def parse(data: bytes, method: str) -> Answer:
    """Read the head of an answer to a request of this method, without its empty line; HeadProblem where it is none."""
    first, *lines = data.split(b"\r\n")
    matched = _LINE.fullmatch(first)
    if matched is None:
        raise HeadProblem("the server's answer is not HTTP/1")
    if len(lines) > _FIELDS:
        raise HeadProblem("the server's answer has too many fields")
    fields = tuple(field(line) for line in lines)
    minor, status = int(matched[1]), int(matched[2])
    if status == _SWITCHING:
        raise HeadProblem("the server changes the protocol")
    size = _length(fields, minor, status, method)
    codings = {value.strip().lower() for key, value in fields if key == b"content-encoding"} - {b"identity", b""}
    if codings and size:
        shown = [name for name in _COMPRESSIONS if name.encode() in codings]  # what else stands there may be anything
        raise HeadProblem(f"the server compresses ({', '.join(shown) or 'somehow'}) although it was not asked to")
    return Answer(status, minor, matched[3] or b"", fields, size)


def _length(fields: tuple[tuple[bytes, bytes], ...], minor: int, status: int, method: str) -> int:
    size = length(fields, minor)
    if method == "HEAD" or status in {_NO_CONTENT, _NOT_MODIFIED} or status < 200:  # noqa: PLR2004 - as above
        return 0
    framed = any(key in {b"content-length", b"transfer-encoding"} for key, _ in fields)
    return size if framed else UNTIL_CLOSE


class Unchunked:
    """Takes a body in chunks (7.1) and gives what is in them; extensions and trailers are left out."""

    def __init__(self) -> None:
        """Begin before the first chunk."""
        self.done = False
        self._left = 0
        self._waiting = b""
        self._ended = False
        """A chunk has ended, and its line end is still to come."""
        self._trailers = -1
        """Bytes of them that came, -1 before the last chunk."""

    def take(self, data: bytes) -> bytes:
        """Give the bytes of the body; HeadProblem for what is no chunk."""
        data = self._waiting + data
        self._waiting = b""
        found: list[bytes] = []
        while data and not self.done:
            if self._left:
                found.append(data[: self._left])
                count = len(found[-1])
                data, self._left = data[count:], self._left - count
                self._ended = not self._left
                continue
            line, end, rest = data.partition(b"\r\n")
            if not end:
                if len(data) > _LONGEST:
                    raise HeadProblem("a line between the answer's chunks has no end")
                self._waiting = data
                break
            data = rest
            self._line(line)
        return b"".join(found)

    def _line(self, line: bytes) -> None:
        if self._ended:
            if line:
                raise HeadProblem("a chunk of the answer is longer than it says")
            self._ended = False
        elif self._trailers >= 0:
            self._trailers += len(line)
            if self._trailers > _LONGEST:
                raise HeadProblem("the answer's trailers are too long")
            self.done = not line
        else:
            size = _SIZE.fullmatch(line)
            if size is None:
                raise HeadProblem("a chunk of the answer does not begin with its size")
            self._left = int(size[1], 16)
            if not self._left:
                self._trailers = 0


def chunk(data: bytes) -> bytes:
    """Give bytes as a chunk; nothing for none, which would be the last."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


LAST = b"0\r\n\r\n"


def sorry(status: str, reason: str) -> bytes:
    """Give a response that says why, in the status line too: many clients show nothing else."""
    told = "".join(c if c.isprintable() and c.isascii() else "?" for c in reason)
    body = f"aisbx: {told}\n".encode()
    rows = [
        f"HTTP/1.1 {status}: {told}",
        "Content-Type: text/plain",
        f"Content-Length: {len(body)}",
        "Connection: close",
    ]
    return "\r\n".join([*rows, "", ""]).encode() + body
