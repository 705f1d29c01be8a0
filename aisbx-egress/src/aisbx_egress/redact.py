"""What a server's answer shows of a secret is covered with `*`, byte for byte: lengths stay, so framing does.

Found are the value itself and what servers make of one that they show: percent-encoding, base64 (also in the midst of
something longer), hexadecimal, JSON, HTML. A server that is in league with the inside can write it in other ways.
"""

import base64
import html
import json
from collections.abc import Iterable
from urllib.parse import quote_from_bytes, quote_plus

_LEAST = 6
"""Characters of a form of a secret that are looked for."""
_SAFE = ("", "/", "/-_.~!*'()", "!*'()")
"""What percent-encoders leave as it is (RFC 3986, ECMAScript's encodeURIComponent)."""


def forms(value: bytes) -> frozenset[bytes]:
    """Give the ways in which a value may be written."""
    found = {value, value.hex().encode(), value.hex().upper().encode()}
    for safe in _SAFE:
        quoted = quote_from_bytes(value, safe)
        found |= {quoted.encode(), _lowered(quoted).encode()}
    found |= _base64(value)
    for coding in ("utf-8", "latin-1"):
        try:
            text = value.decode(coding)
        except UnicodeDecodeError:
            continue
        written = json.dumps(text)[1:-1]
        texts = {text, written, json.dumps(text, ensure_ascii=False)[1:-1], written.replace("/", "\\/")}
        texts |= {html.escape(text), html.escape(text, quote=False), quote_plus(text)}
        found |= {each.encode() for each in texts}
    return frozenset(each for each in found if len(each) >= _LEAST)


def _lowered(quoted: str) -> str:
    first, *rest = quoted.split("%")
    return "%".join([first, *(part[:2].lower() + part[2:] for part in rest)])


def _base64(value: bytes) -> set[bytes]:
    """Give what of its base64 does not depend on what stands before and after it, at each of three places."""
    found: set[bytes] = set()
    for before in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            whole = encode(bytes(before) + value)
            found.add(whole[-(-before * 8 // 6) : (before + len(value)) * 8 // 6])
    return found


class Cover:
    """Covers what is given to it, piece by piece; `take` keeps back what may be the beginning of a secret."""

    def __init__(self, hidden: Iterable[bytes]) -> None:
        """`hidden` are the texts that are not to be seen."""
        self._hidden = tuple(hidden)
        self._kept = b""
        self._covered = 0
        """How many bytes of `_kept` belong to what was found already."""

    def take(self, data: bytes) -> bytes:
        """Give what can be passed on."""
        return self._pass(data, last=False)

    def end(self) -> bytes:
        """Give what was kept back."""
        return self._pass(b"", last=True)

    def _pass(self, data: bytes, *, last: bool) -> bytes:
        data = self._kept + data
        found = [(0, self._covered)]
        for text in self._hidden:
            at = data.find(text)
            while at >= 0:
                found.append((at, at + len(text)))
                at = data.find(text, at + 1)
        cut = len(data) if last else self._begins(data)
        passed = bytearray(data[:cut])
        for begin, end in found:
            if begin < min(end, cut):
                passed[begin : min(end, cut)] = b"*" * (min(end, cut) - begin)
        self._covered = max(0, max(end for _, end in found) - cut)
        self._kept = data[cut:]
        return bytes(passed)

    def _begins(self, data: bytes) -> int:
        """Give where the end of the data may be the beginning of a text; its length where it is of none."""
        first = len(data)
        for text in self._hidden:
            at = data.find(text[:1], max(0, len(data) - len(text) + 1))
            while 0 <= at < first:
                if text.startswith(data[at:]):
                    first = at
                    break
                at = data.find(text[:1], at + 1)
        return first


def covered(data: bytes, hidden: Iterable[bytes]) -> bytes:
    """Give a whole text, covered."""
    cover = Cover(hidden)
    return cover.take(data) + cover.end()
