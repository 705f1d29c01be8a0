"""What a word of a shell's can come to: constants and constant variables are put in, all else stays unknown."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING

from aisbx.policy.grammar import UnreadableError, text_of

if TYPE_CHECKING:
    from tree_sitter import Node

UNKNOWN = "\ue000"
"""Stands for any text at all."""
BREAK = "\ue001"
"""Stands for white space that separates words."""
MOST = 64
"""Possibilities of a word, and of a command."""
_ANSI = re.compile(r"\\(x[0-9A-Fa-f]{1,2}|u[0-9A-Fa-f]{1,4}|U[0-9A-Fa-f]{1,8}|[0-7]{1,3}|.)", re.DOTALL)
_NAMED = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b", "f": "\f", "v": "\v"}
_BRACES = re.compile(r"\{([^{}]*,[^{}]*)\}")


_USUAL = {"IFS": (" ",), "HOME": ("$HOME",)}
"""What these are where nobody sets them; a home is named rather than known."""


@dataclass
class Scope:
    """What is known where a word stands."""

    variables: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """What each may be."""
    positional: tuple[str, ...] = ()
    """`$0` and what follows; empty: not known."""
    cwd: str = ""
    """Where relative paths begin, as far as it is known."""
    certain: bool = True
    """Whether an assignment here is sure to be made."""

    def copy(self, **changed: object) -> "Scope":
        """Give one whose changes stay its own."""
        fields = {"variables": dict(self.variables), "positional": self.positional, "cwd": self.cwd}
        return Scope(**{**fields, "certain": self.certain, **changed})  # type: ignore[arg-type]

    def assign(self, name: str, values: tuple[str, ...]) -> None:
        """Note an assignment; one that may not be made adds to what there was."""
        if not self.certain:
            values = (*self.variables.get(name, (UNKNOWN,)), *values)
        self.variables[name] = tuple(dict.fromkeys(values))[:MOST]

    def look_up(self, name: str) -> tuple[str, ...]:
        """Give what a variable may be."""
        if name in {"@", "*"} and self.positional:
            return (" ".join(self.positional[1:]),)
        if name.isdigit() and self.positional:
            number = int(name[:4])
            return (self.positional[number] if number < len(self.positional) else "",)
        return self.variables.get(name, _USUAL.get(name, (UNKNOWN,)))


Substitute = Callable[["Node"], str]
"""What reviews a command substitution and gives its output, as far as that is known."""


def fields(node: "Node", scope: Scope, substitute: Substitute) -> list[list[str]]:
    """Give what a word may become: each possibility is a list of words."""
    bare = node.type in {"simple_expansion", "expansion", "command_substitution"}
    found = [
        [""] if not text and not bare else [word for word in text.split(BREAK) if word]  # a quoted nothing is a word
        for text in texts(node, scope, substitute)
    ]
    return [row for possible in found for row in _braced(possible)][:MOST] or [[]]


def texts(node: "Node", scope: Scope, substitute: Substitute, *, quoted: bool = False) -> list[str]:  # noqa: PLR0911
    """Give the possible texts of a word or a part of one."""
    text = text_of(node)
    kind = node.type
    if kind in {"word", "number", "string_content", "variable_name", "special_variable_name", "heredoc_content"}:
        return [_unescape(text, quoted=quoted)]
    if kind == "raw_string":
        return [text[1:-1]]
    if kind == "ansi_c_string":
        return [_ANSI.sub(_ansi, text[2:-1])]
    if kind in {"string", "translated_string"}:
        return list(_joined(_parts(node, scope, substitute, quoted=True)))
    if kind in {"concatenation", "command_name"}:
        return list(_joined(_parts(node, scope, substitute, quoted=quoted)))
    if kind in {"simple_expansion", "expansion"}:
        values = _variable(node, text, scope, substitute)
        return values if quoted else [_split(value) for value in values]
    if kind == "command_substitution":
        value = substitute(node)
        return [value if quoted else _split(value)]
    if kind in {"process_substitution", "arithmetic_expansion"}:
        substitute(node)
    return [UNKNOWN]


def _parts(node: "Node", scope: Scope, substitute: Substitute, *, quoted: bool) -> Iterator[list[str]]:
    """Give the possibilities of each part; what stands between the grammar's nodes is text."""
    source, start = node.text or b"", node.start_byte
    place = 1 if source[:1] == b'"' else 2 if source[:2] == b'$"' else 0
    for child in node.children:
        if child.type in {'"', "$"} and not child.is_named:
            continue
        gap = source[place : child.start_byte - start]
        if gap:
            yield [_unescape(text_of(gap), quoted=quoted)]
        yield texts(child, scope, substitute, quoted=quoted) if child.is_named else [text_of(child)]
        place = child.end_byte - start
    rest = source[place:].removesuffix(b'"') if quoted else source[place:]
    if rest:
        yield [_unescape(text_of(rest), quoted=quoted)]


def _joined(parts: Iterator[list[str]]) -> Iterator[str]:
    for number, row in enumerate(product(*parts)):
        if number >= MOST:
            raise UnreadableError("a word has too many possibilities")
        yield "".join(row)


def _variable(node: "Node", text: str, scope: Scope, substitute: Substitute) -> list[str]:
    named = [child for child in node.named_children if child.type.endswith("variable_name")]
    name = text_of(named[0]) if named else ""
    if text in {f"${name}", f"${{{name}}}"}:
        return list(scope.look_up(name))
    values = [UNKNOWN]
    for child in node.named_children:
        if child not in named:
            values += texts(child, scope, substitute, quoted=True)  # `${x:-/}`, and what runs in it
    return [*scope.look_up(name), *values][:MOST]


def _unescape(text: str, *, quoted: bool) -> str:
    if quoted:
        return re.sub(r"\\([$`\"\\\n])", lambda found: found[1].replace("\n", ""), text)
    if text == "~" or text.startswith("~/"):
        text = "$HOME" + text[1:]
    return re.sub(r"\\(.|\n)", lambda found: found[1].replace("\n", ""), text)


def _split(value: str) -> str:
    return re.sub(r"[ \t\n]+", BREAK, value)


def _ansi(found: re.Match[str]) -> str:
    code = found[1]
    if code[0] in "xuU" and len(code) > 1:
        number = int(code[1:], 16)
        return chr(number) if number < 0x110000 and not 0xD800 <= number < 0xE000 else UNKNOWN  # noqa: PLR2004
    return chr(int(code, 8) % 256) if code[0] in "01234567" else _NAMED.get(code, code)


def _braced(words: list[str]) -> list[list[str]]:
    """Expand `a{b,c}`, which some shells do: without it, and with it."""
    expanded = list(words)
    for _ in range(MOST):
        place = next((number for number, word in enumerate(expanded) if _BRACES.search(word)), -1)
        if place < 0:
            break
        found = _BRACES.search(expanded[place])
        if found is None or len(expanded) > 10 * MOST:
            break
        before, after = expanded[place][: found.start()], expanded[place][found.end() :]
        expanded[place : place + 1] = [before + each + after for each in found[1].split(",")]
    return [words] if expanded == words else [words, [word for word in expanded if word]]
