"""Whether a rule speaks of a command: by its program, words, options, arguments and paths, never by substrings."""

import posixpath
from dataclasses import dataclass
from fnmatch import fnmatchcase

from aisbx.policy.shell import Found
from aisbx.policy.words import UNKNOWN

ALLOW, ASK, FORBID = "allow", "ask", "forbid"
DECISIONS = (ALLOW, ASK, FORBID)
"""From the mildest to the strictest."""
_SHORTEST = 4
"""Characters of a long option that is written short, as getopt_long(3) takes it: `--rec` for `--recursive`."""


@dataclass(frozen=True)
class Rule:
    """All that it names must hold. Each entry of `options` is alternatives: `-r|-R|--recursive`."""

    id: str
    decide: str
    reason: str = ""
    program: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    match: tuple[str, ...] = ()
    no_match: tuple[str, ...] = ()
    where: str = ""

    def speaks_of(self, found: Found) -> bool:
        """Say whether it does."""
        name = found.argv[0].rpartition("/")[2]
        if not any(fnmatchcase(name, pattern) for pattern in self.program):
            return False
        options, rest = split(found.argv[1:])
        return (
            tuple(rest[: len(self.words)]) == self.words
            and all(_given(option.split("|"), options) for option in self.options)
            and (not self.arguments or any(_one_of(self.arguments, word) for word in rest))
            and (not self.paths or any(_named(self.paths, word, found.cwd) for word in rest))
        )


def split(words: tuple[str, ...]) -> tuple[set[str], list[str]]:
    """Give options, short ones taken apart as well, and all other words."""
    options: set[str] = set()
    rest: list[str] = []
    for place, word in enumerate(words):
        if word == "--":
            rest += words[place + 1 :]
            break
        if word.startswith("--"):
            options.add(word.partition("=")[0])
        elif word.startswith("-") and len(word) > 1:
            options |= {word, *(f"-{letter}" for letter in word[1:])}
        else:
            rest.append(word)
    return options, rest


def _given(alternatives: list[str], options: set[str]) -> bool:
    return any(
        option == wanted or (wanted.startswith("--") and len(option) >= _SHORTEST and wanted.startswith(option))
        for wanted in alternatives
        for option in options
    )


def _one_of(patterns: tuple[str, ...], word: str) -> bool:
    return UNKNOWN not in word and any(fnmatchcase(word, pattern) for pattern in patterns)


def _named(paths: tuple[str, ...], word: str, cwd: str) -> bool:
    """Say whether a word names one of these, in whatever spelling; `/**` at an entry's end is all that is below."""
    if UNKNOWN in word or not word:
        return False
    path = posixpath.normpath(word if word.startswith("$HOME") else posixpath.join(cwd, word))
    path = "/" + path.lstrip("/") if path.startswith("/") else path  # `//` is one of its own to POSIX, not to Linux
    folder, name = posixpath.split(path)
    typed = posixpath.join(folder, "*") if any(letter in name for letter in "*?[") else path
    return any(typed == entry or (entry.endswith("/**") and path.startswith(entry[:-2])) for entry in paths)
