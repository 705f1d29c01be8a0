"""What starts another command, and how: shells, prefixes, `find`, `xargs`; and what changes what is known."""

import posixpath
from collections.abc import Callable
from typing import TYPE_CHECKING

from aisbx.policy.words import MOST, UNKNOWN, Scope
from aisbx.policy.wrappers import PREFIXES, SHELLS, inner, script_of

if TYPE_CHECKING:
    from aisbx.policy.shell import Reader

NOTHING = "\ue002"
"""Standard input that nobody said anything about."""

_FOLLOWING = frozenset({"-H", "-L", "-P"})
_PASSED = frozenset(
    {
        "(",
        ")",
        "-a",
        "-and",
        "-depth",
        "-d",
        "-xdev",
        "-mount",
        "-true",
        "-print",
        "-print0",
        "-noleaf",
        "-warn",
        "-nowarn",
        "-follow",
    }
)
_PASSED_WITH = frozenset({"-mindepth", "-maxdepth", "-type"})
"""Of `find`: where it looks through links; and what leaves out next to nothing, alone and with a word (find(1))."""

Starter = Callable[["Reader", list[str], Scope, str], str]
"""Reads on in what a command starts; gives what it prints, UNKNOWN for nearly all."""


def _echo(_: "Reader", argv: list[str], __: Scope, ___: str) -> str:
    words = argv[2:] if argv[1:2] and argv[1] in {"-n", "-e", "-ne"} else argv[1:]
    return " ".join(words)


def _printf(_: "Reader", argv: list[str], __: Scope, ___: str) -> str:
    if argv[1:2] and argv[1] in {"%s", "%s\\n"} and argv[2:] == argv[2:3]:
        return argv[-1]
    return argv[1] if len(argv[1:]) == 1 and "%" not in argv[1] else UNKNOWN


def _cat(_: "Reader", argv: list[str], __: Scope, stdin: str) -> str:
    return stdin if argv[1:] in ([], ["-"]) and stdin != NOTHING else UNKNOWN


def _change_directory(_: "Reader", argv: list[str], scope: Scope, __: str) -> str:
    scope.cwd = posixpath.normpath(posixpath.join(scope.cwd, argv[-1])) if argv[1:] else "$HOME"
    return UNKNOWN


def _forget(_: "Reader", argv: list[str], scope: Scope, __: str) -> str:
    for word in argv[1:]:
        scope.assign(word, (UNKNOWN,))
    return UNKNOWN


def _shell(reader: "Reader", argv: list[str], scope: Scope, stdin: str) -> str:
    text, rest, reads = script_of(argv)
    if text is not None:
        reader.script(text, scope.copy(positional=tuple(rest) or ("sh",)), stdin)
    elif reads and stdin != NOTHING:
        if UNKNOWN in stdin:
            reader.unreadable.append(f"what {argv[0]} is given to run is known only while it runs")
        else:
            reader.script(stdin, scope.copy())
    return UNKNOWN


def _eval(reader: "Reader", argv: list[str], scope: Scope, stdin: str) -> str:
    reader.script(" ".join(argv[1:]), scope, stdin)
    return UNKNOWN


def _trap(reader: "Reader", argv: list[str], scope: Scope, _: str) -> str:
    if argv[2:]:
        reader.script(argv[1], scope.copy())
    return UNKNOWN


def _by_option(reader: "Reader", argv: list[str], scope: Scope, stdin: str) -> str:
    for place, word in enumerate(argv[:-1]):
        if word in {"-c", "--command"}:
            reader.script(argv[place + 1], scope.copy(), stdin)
    return UNKNOWN


def _find(reader: "Reader", argv: list[str], scope: Scope, _: str) -> str:
    begin = next((place for place in range(1, len(argv)) if argv[place] not in _FOLLOWING), len(argv))
    end = next((place for place in range(begin, len(argv)) if argv[place][:1] in {*"-(!,"}), len(argv))
    starts, printed = (argv[begin:end] or ["."])[:MOST], True
    for place, word in enumerate(argv):
        if word in {"-exec", "-execdir", "-ok", "-okdir"}:
            printed = False
            rest = argv[place + 1 :]
            length = next((number for number, each in enumerate(rest) if each in {";", "+"}), len(rest))
            for path in (starts if _finds_all(argv[end:place]) else [UNKNOWN]) if rest[:length] else ():
                reader.command([each.replace("{}", path) for each in rest[:length]], scope, UNKNOWN)
    return "\n".join(starts) if printed and _finds_all(argv[end:]) else UNKNOWN


def _finds_all(tests: list[str]) -> bool:
    """Say whether next to all that lies where `find` looks passes these."""
    words = iter(tests)
    return all(word in _PASSED or (word in _PASSED_WITH and next(words, "")) for word in words)


def _env(reader: "Reader", argv: list[str], scope: Scope, stdin: str) -> str:
    for place, word in enumerate(argv):
        for option in ("--split-string=", "--split-string", "-S"):
            if word.startswith(option):
                reader.script(" ".join([word.removeprefix(option), *argv[place + 1 :]]), scope.copy(), stdin)
                return UNKNOWN
    return _started(reader, argv, scope, stdin)


def _xargs(reader: "Reader", argv: list[str], scope: Scope, stdin: str) -> str:
    started = inner(PREFIXES["xargs"], argv)
    known = stdin not in {NOTHING, ""} and UNKNOWN not in stdin
    replaced = next(
        (word[2:] or argv[place + 1 : place + 2] for place, word in enumerate(argv) if word[:2] == "-I"), ""
    )
    mark = replaced if isinstance(replaced, str) else "".join(replaced)
    if mark and started:
        return reader.command([word.replace(mark, stdin.strip() if known else UNKNOWN) for word in started], scope, "")
    return reader.command([*started, *(stdin.split() if known else [UNKNOWN])], scope, "") if started else UNKNOWN


def _started(reader: "Reader", argv: list[str], scope: Scope, stdin: str) -> str:
    started = inner(PREFIXES[argv[0].rpartition("/")[2]], argv)
    return reader.command(started, scope, stdin) if started else UNKNOWN


STARTERS: dict[str, Starter] = {
    **dict.fromkeys(PREFIXES, _started),
    **dict.fromkeys(SHELLS, _shell),
    **dict.fromkeys(("cd", "pushd"), _change_directory),
    **dict.fromkeys(("read", "unset", "mapfile", "readarray", "getopts"), _forget),
    **dict.fromkeys(("su", "script"), _by_option),
    "cat": _cat,
    "echo": _echo,
    "env": _env,
    "eval": _eval,
    "find": _find,
    "printf": _printf,
    "trap": _trap,
    "xargs": _xargs,
}
