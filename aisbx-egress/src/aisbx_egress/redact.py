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

_IN_JSON = ("", "<>&", "<>&='", "<>&+'\"`")
"""What is written as a number in JSON: by most; by Go's encoding/json and Ruby on Rails; Gson; System.Text.Json."""
_QUOTES = ("&#x27;", "&#39;", "&#039;", "&apos;")
_IN_HTML = tuple(
    str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "'": single, '"': double, **more})
    for single in _QUOTES
    for double in ("&quot;", "&#34;")
    for more in ({}, {"+": "&#43;"}, {"/": "&#x2F;", "`": "&#x60;", "=": "&#x3D;"})
)
"""Python's and PHP's ways, that of Go's html/template, and that of templates of the Mustache family."""


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
        texts = {text, json.dumps(text, ensure_ascii=False)[1:-1], quote_plus(text)}
        for special in _IN_JSON:
            for form in ("\\u{:04x}", "\\u{:04X}"):
                escaped = "".join(form.format(ord(each)) if each in special else each for each in written)
                texts |= {escaped, escaped.replace("/", "\\/")}
        texts |= {html.escape(text, quote=False), *(text.translate(table) for table in _IN_HTML)}
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
    """Covers what is given to it, piece by piece.

    As many of the last bytes are kept back as the longest text has, less one, whatever they are: were it only what may
    be the beginning of a text, whoever has a server show guesses would see by it how far they are right. Up to a line's
    end all goes on, since no text has one: so nobody waits for the last event of a stream. What was passed on is
    remembered as far, so that the rest of a text is covered whose beginning `flush` let by.
    """

    def __init__(self, hidden: Iterable[bytes]) -> None:
        """`hidden` are the texts that are not to be seen; none has a line's end."""
        self._hidden = tuple(hidden)
        assert not any(b"\n" in text for text in self._hidden)  # noqa: S101 - see the class
        self._held = max(map(len, self._hidden), default=1) - 1
        self._window = b""
        self._passed = 0
        """How many bytes of `_window` were passed on."""

    @property
    def keeps(self) -> bool:
        """Whether something is kept back."""
        return self._passed < len(self._window)

    def take(self, data: bytes) -> bytes:
        """Give what can be passed on."""
        self._window += data
        return self._pass(max(len(self._window) - self._held, self._window.rfind(b"\n") + 1))

    def flush(self) -> bytes:
        """Give what was kept back: nothing more is to come, or not soon."""
        return self._pass(len(self._window))

    def _pass(self, cut: int) -> bytes:
        if cut <= self._passed:
            return b""
        passed = bytearray(self._window[:cut])
        for text in self._hidden:
            at = self._window.find(text)
            while 0 <= at < cut:
                end = min(at + len(text), cut)
                passed[at:end] = b"*" * (end - at)
                at = self._window.find(text, at + 1)
        given = bytes(passed[self._passed :])
        first = max(0, cut - self._held)
        self._window, self._passed = self._window[first:], cut - first
        return given


def covered(data: bytes, hidden: Iterable[bytes]) -> bytes:
    """Give a whole text, covered."""
    cover = Cover(hidden)
    return cover.take(data) + cover.flush()
