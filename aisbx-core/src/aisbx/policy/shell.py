"""Find every command in a command line: in lists, pipes, subshells and substitutions, and those that others start."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from aisbx.policy.grammar import UnreadableError, make_parser, parse, text_of
from aisbx.policy.starters import NOTHING, STARTERS
from aisbx.policy.words import MOST, UNKNOWN, Scope, fields, texts

if TYPE_CHECKING:
    from tree_sitter import Node

LONGEST, DEEPEST, NESTED, COMMANDS, SECONDS = 1 << 16, 120, 12, 2000, 1.0
"""Bounds: characters of a script, levels of its grammar, scripts in scripts, commands, and time."""
# The grammar takes quadratic time for these; parsing cannot be relied on to stop when it is told to.
_SLOW = {"|": 1000, "(": 2000, "[": 2000, "<<": 800}
_HEREDOC = frozenset(("heredoc_start", "heredoc_body", "heredoc_end", "file_descriptor"))
_Walk = Callable[["Node", Scope, str, int], str]


@dataclass(frozen=True, slots=True)
class Found:
    """A command and where it would run, as far as that is known."""

    argv: tuple[str, ...]
    cwd: str = ""


class Reader:
    """Reads one command line; `found` are its commands, `unreadable` what could not be read and why."""

    def __init__(self) -> None:
        self.found: list[Found] = []
        self.unreadable: list[str] = []
        self.functions: dict[str, Node] = {}
        self._parser = make_parser()
        self._until = time.monotonic() + SECONDS
        self._nested = 0
        maybe = ("if_statement", "while_statement", "case_statement", "c_style_for_statement")
        words = ("word", "string", "concatenation", "simple_expansion", "expansion", "ansi_c_string")
        self._statements: dict[str, _Walk] = {
            "command": self._of_command,
            "variable_assignment": self._assign,
            "redirected_statement": self._redirected,
            "pipeline": self._pipeline,
            "subshell": self._subshell,
            "for_statement": self._loop,
            "function_definition": self._function,
            **dict.fromkeys(maybe, self._maybe),
            **dict.fromkeys((*words, "command_substitution", "process_substitution"), self._word),
        }

    def read(self, argv: tuple[str, ...], environment: Mapping[str, str], cwd: str, stdin: bytes | None = None) -> None:
        """Read a command as it is handed over, none where it has no words; never raises for what it is.

        `stdin` is what it reads; None where nothing is said of that.
        """
        if not argv:
            return
        scope = Scope({name: (value,) for name, value in environment.items()}, cwd=cwd)
        try:
            self.command(list(argv), scope, _text_of_input(stdin))
        except UnreadableError as error:
            self.unreadable.append(str(error))
        except (RecursionError, UnicodeEncodeError):
            self.unreadable.append("the command line is too deep, or no text at all")

    def script(self, text: str, scope: Scope, stdin: str = NOTHING) -> None:
        """Read a shell's script in a scope, each command of which may read `stdin`; UnreadableError beyond bounds."""
        if UNKNOWN in text:
            self.unreadable.append("a script is put together while it runs")
            return
        if len(text) > LONGEST:
            raise UnreadableError(f"a script is longer than {LONGEST} characters")
        for sign, most in _SLOW.items():
            if text.count(sign) > most:
                raise UnreadableError(f"a script has more than {most} of {sign!r}")
        self._nested += 1
        if self._nested > NESTED:
            raise UnreadableError(f"scripts in scripts, more than {NESTED} deep")
        root = parse(self._parser, text)
        if root.has_error:
            self.unreadable.append("a script is no shell's grammar")
        self._walk(root, scope, stdin, 0)
        self._nested -= 1

    def _walk(self, node: "Node", scope: Scope, stdin: str, depth: int) -> str:
        """Go through statements in order; gives what the last one prints, as far as that is known."""
        if depth > DEEPEST or time.monotonic() > self._until:
            raise UnreadableError("the command line is too deep, or takes too long to read")
        special = self._statements.get(node.type)
        if special is not None:
            return special(node, scope, stdin, depth + 1)
        printed = ""
        for child in node.named_children:
            printed = self._walk(child, scope, stdin, depth + 1)
        return printed if len(node.named_children) == 1 else UNKNOWN

    def _of_command(self, node: "Node", scope: Scope, stdin: str, depth: int) -> str:
        words: list[list[list[str]]] = []
        outer = scope
        for child in node.named_children:
            if child.type == "variable_assignment":
                if scope is outer:
                    scope = scope.copy()  # it is this command's alone
                self._assign(child, scope, stdin, depth)
            elif child.type == "herestring_redirect":
                stdin = self._text(child.named_children[-1], scope)
            elif child.type.endswith("redirect"):
                stdin = self._redirect(child, scope, stdin, depth)
            else:
                words.append(fields(child, outer, lambda inside: self._substitute(inside, outer, depth)))
        printed = UNKNOWN
        for number, row in enumerate(product(*words)):
            if number >= MOST:
                raise UnreadableError("a command has too many possibilities")
            argv = [word for part in row for word in part]
            if argv:
                printed = self.command(argv, scope, stdin)
        return printed

    def _assign(self, node: "Node", scope: Scope, stdin: str, depth: int) -> str:
        del stdin
        name, *value = node.named_children
        values = (
            texts(value[0], scope, lambda inside: self._substitute(inside, scope, depth), quoted=True)
            if value
            else [""]
        )
        if name.type != "variable_name" or "+=" in text_of(node)[: len(text_of(name)) + 2]:
            values = [UNKNOWN]
        scope.assign(text_of(name), tuple(values))
        return ""

    def _redirected(self, node: "Node", scope: Scope, stdin: str, depth: int) -> str:
        body = node.child_by_field_name("body")
        redirects = [child for child in node.named_children if child != body]
        for child in redirects:
            stdin = self._redirect(child, scope, stdin, depth)
        printed = self._walk(body, scope, stdin, depth) if body is not None else ""
        for child in redirects:
            if child.type == "heredoc_redirect":
                for rest in child.named_children:  # the grammar puts `| sh` of `<<EOF | sh` in here
                    if rest.type not in _HEREDOC:
                        printed = self._walk(rest, scope, printed, depth)
        return printed

    def _redirect(self, node: "Node", scope: Scope, stdin: str, depth: int) -> str:
        if node.type == "herestring_redirect":
            return self._text(node.named_children[-1], scope)
        if node.type == "heredoc_redirect":
            for child in node.named_children:
                if child.type == "heredoc_body":
                    stdin = text_of(child)
            return stdin
        for child in node.named_children:
            fields(child, scope, lambda inside: self._substitute(inside, scope, depth))
        return UNKNOWN if (node.text or b"").lstrip(b"0").startswith(b"<") else stdin

    def _pipeline(self, node: "Node", scope: Scope, stdin: str, depth: int) -> str:
        for child in node.named_children:
            stdin = self._walk(child, scope.copy(), stdin, depth)
        return stdin

    def _subshell(self, node: "Node", scope: Scope, stdin: str, depth: int) -> str:
        return self._body(node, scope.copy(), stdin, depth)

    def _maybe(self, node: "Node", scope: Scope, stdin: str, depth: int) -> str:
        certain, scope.certain = scope.certain, False
        self._body(node, scope, stdin, depth)
        scope.certain = certain
        return UNKNOWN

    def _loop(self, node: "Node", scope: Scope, stdin: str, depth: int) -> str:
        variable, values = node.child_by_field_name("variable"), list[str]()
        body = node.child_by_field_name("body")
        for child in node.named_children:
            if child not in (variable, body):
                found = fields(child, scope, lambda inside: self._substitute(inside, scope, depth))
                values += [word for row in found for word in row]
        if len(values) > MOST:
            raise UnreadableError("a loop has too many possibilities")
        scope.assign(text_of(variable) if variable else "", tuple(values) or (UNKNOWN,))
        return self._maybe(body, scope, stdin, depth) if body else UNKNOWN

    def _body(self, node: "Node", scope: Scope, stdin: str, depth: int) -> str:
        printed = ""
        for child in node.named_children:
            printed = self._walk(child, scope, stdin, depth)
        return printed if len(node.named_children) == 1 else UNKNOWN

    def _word(self, node: "Node", scope: Scope, stdin: str, depth: int) -> str:
        del stdin
        fields(node, scope, lambda inside: self._substitute(inside, scope, depth))
        return UNKNOWN

    def _function(self, node: "Node", scope: Scope, stdin: str, depth: int) -> str:
        name, body = node.child_by_field_name("name"), node.child_by_field_name("body")
        if name is not None and body is not None:
            self.functions[text_of(name)] = body
            self._walk(body, scope.copy(certain=False), stdin, depth)  # whoever calls it, and with what
        return UNKNOWN

    def _call(self, name: str, argv: list[str], scope: Scope, stdin: str) -> str:
        body = self.functions.get(argv[0])
        if body is not None:
            called = Scope(scope.variables, tuple(argv), scope.cwd, certain=scope.certain)
            return self._walk(body, called, stdin, self._nested)
        starter = STARTERS.get(name)
        return starter(self, argv, scope, stdin) if starter is not None else UNKNOWN

    def _text(self, node: "Node", scope: Scope) -> str:
        found = texts(node, scope, lambda inside: self._substitute(inside, scope, DEEPEST // 2), quoted=True)
        return found[0] if len(found) == 1 else UNKNOWN

    def _substitute(self, node: "Node", scope: Scope, depth: int) -> str:
        printed = self._body(node, scope.copy(), NOTHING, depth + 1)
        return printed.rstrip("\n")

    def command(self, argv: list[str], scope: Scope, stdin: str) -> str:
        """Note a command and read what it starts; gives what it prints, as far as that is known."""
        if len(self.found) >= COMMANDS or time.monotonic() > self._until:
            raise UnreadableError("the command line has too many commands")
        if UNKNOWN in argv[0]:
            self.unreadable.append("which program is started is known only while it runs")
            return UNKNOWN
        self.found.append(Found(tuple(argv), scope.cwd))
        name = argv[0].rpartition("/")[2]
        self._nested += 1
        if self._nested > 4 * NESTED:
            raise UnreadableError("commands that start commands, too many")
        printed = self._call(name, argv, scope, stdin)
        self._nested -= 1
        return printed


def _text_of_input(stdin: bytes | None) -> str:
    if stdin is None:
        return NOTHING
    return stdin.decode(errors="surrogateescape") if len(stdin) <= LONGEST else UNKNOWN
