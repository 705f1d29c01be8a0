"""How the command line speaks: one line for an error, one object for `--json`, plain aligned tables."""

import json
import os
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from aisbx.errors import AisbxError


def printable(text: str) -> str:
    """Escape what a terminal would act on or not show: control, formatting (bidi) and undecodable characters.

    File names, argv and plugin metadata come from whoever; shown raw they could rewrite the screen.
    """
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _escape(character) for character in text)


def shell_words(argv: Iterable[str]) -> str:
    """Write a command as a shell would read it; `$'…'` (POSIX.1-2024) where a word is not printable."""
    return " ".join(shlex.quote(word) if word.isprintable() else _dollar_quote(word) for word in argv)


def one_line(text: str) -> str:
    """Give printable text without line breaks."""
    return printable(" ".join(text.split()))


def say(text: str) -> None:
    """Tell on stderr, in one line that a terminal only shows; when nobody takes it, the exit code tells alone."""
    try:
        os.write(2, f"aisbx: {one_line(text)}\n".encode(errors="backslashreplace"))
    except OSError:
        return


def error_line(error: AisbxError) -> str:
    """Give the one line of an error: `aisbx: CODE: what is wrong; hint: how to mend it`."""
    hint = f"; hint: {one_line(error.hint)}" if error.hint else ""
    return f"aisbx: {error.code}: {one_line(error.message)}{hint}"


def report(error: AisbxError, *, as_json: bool) -> int:
    """Say an error, as the object of `--json` on stdout or as lines on stderr, and give its exit code.

    Each finding has a line of its own.
    """
    if as_json:
        emit_json({"error": error.as_record()})
    else:
        print(error_line(error), file=sys.stderr)
        for finding in error.findings:
            say(finding)
    return error.exit_code


def emit_json(record: object) -> None:
    """Print one object on one line, in ASCII: no locale and no stray byte can break it."""
    print(json.dumps(record))


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay out rows under their headings, two blanks between columns; cells are made printable."""
    cells = [list(headings), *([one_line(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headings))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    )


def as_text(value: object) -> str:
    """Write a setting's value as TOML would: strings quoted, booleans lower-case, tables inline."""
    if value is None:
        return "(not set)"
    if isinstance(value, Mapping):
        entries = cast("Mapping[object, object]", value).items()
        items = ", ".join(f"{key} = {as_text(item)}" for key, item in entries)
        return f"{{ {items} }}" if items else "{}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(as_text(item) for item in cast('list[object]', value))}]"
    return json.dumps(value, default=str, ensure_ascii=False)


def _escape(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # noqa: PLR2004 - a byte that was not UTF-8 (PEP 383)
        code -= 0xDC00
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004


def _dollar_quote(word: str) -> str:
    return "$'" + "".join(f"\\{c}" if c in "\\'" else printable(c) for c in word) + "'"
