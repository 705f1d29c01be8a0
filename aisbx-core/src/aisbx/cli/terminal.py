"""Make somebody else's bytes safe to show on a terminal."""

import codecs
import re

from aisbx.cli.render import printable

# Colours and nothing else (SGR, ECMA-48 8.3.117): other sequences move the cursor, set titles, write the clipboard or
# make the terminal answer as if typed.
_KEPT = re.compile(r"\r?\n|\t|\x1b\[[0-9;:]{0,64}m")
_UNFINISHED = re.compile(r"(?:\r|\x1b(?:\[[0-9;:]{0,64})?)\Z")


class Cleaner:
    r"""Turns a stream of bytes into text in which only printable characters, line feeds, tabs and colours are left.

    Everything else is shown escaped (`\x1b`), a carriage return alone too: it would let a line be overwritten.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._rest = ""
        self._coloured = False

    def feed(self, data: bytes) -> str:
        """Give what of the stream is safe to show by now; a sequence that is cut off waits for its end."""
        text = self._rest + self._decoder.decode(data)
        unfinished = _UNFINISHED.search(text)
        end = unfinished.start() if unfinished else len(text)
        self._rest = text[end:]
        return self._clean(text[:end])

    def close(self) -> str:
        """Give what is left, and end the colour."""
        text = self._clean(self._rest + self._decoder.decode(b"", final=True))
        self._rest = ""
        return text + ("\x1b[0m" if self._coloured else "")

    def _clean(self, text: str) -> str:
        parts: list[str] = []
        position = 0
        for kept in _KEPT.finditer(text):
            parts += (printable(text[position : kept.start()]), kept.group().replace("\r", ""))
            self._coloured |= kept.group().startswith("\x1b")
            position = kept.end()
        return "".join((*parts, printable(text[position:])))
