"""The shell's grammar (tree-sitter-bash), which gets ASCII only.

It asks C's `isdigit(3)` and its like about whatever comes: for other characters that reads memory beyond a table, and
can end the process.
"""

import re
from typing import TYPE_CHECKING

from aisbx.errors import PolicyError

if TYPE_CHECKING:
    from tree_sitter import Node, Parser


class UnreadableError(Exception):
    """A command line that cannot be read, or would take too long."""


LARGEST = 1 << 18
"""Bytes of a script as the grammar gets it."""
_SIGN, _LETTERS = 0x01, b"ghijklmnopqrstuv"
_OTHER, _WRITTEN = re.compile(rb"[\x01\x80-\xff]"), re.compile(rb"\x01([g-v])([g-v])")


def parse(parser: "Parser", script: str) -> "Node":
    """Give the root of a script's grammar; UnreadableError where it is too large."""
    found = _OTHER.sub(_write, script.encode(errors="surrogateescape"))
    if len(found) > LARGEST:
        raise UnreadableError(f"a script is larger than {LARGEST} bytes")
    return parser.parse(found).root_node


def text_of(found: "Node | bytes") -> str:
    """Give the text of a node, or of a part of one, as it was before `parse`."""
    source = found if isinstance(found, bytes) else found.text or b""
    return _WRITTEN.sub(_read, source).decode(errors="surrogateescape")


def make_parser() -> "Parser":
    """Give a parser; PolicyError where there is none."""
    try:
        import tree_sitter_bash
        from tree_sitter import Language, Parser
    except ImportError as error:
        hint = "pip install 'aisbx-core[commands]'"
        raise PolicyError(f"the policy commands needs {error.name}", hint=hint) from error
    return Parser(Language(tree_sitter_bash.language()))


def _write(found: re.Match[bytes]) -> bytes:
    """Give a byte as what the grammar takes for a part of a word, as a shell does."""
    byte = found[0][0]
    return bytes((_SIGN, _LETTERS[byte >> 4], _LETTERS[byte & 15]))


def _read(found: re.Match[bytes]) -> bytes:
    return bytes(((_LETTERS.index(found[1]) << 4) | _LETTERS.index(found[2]),))
