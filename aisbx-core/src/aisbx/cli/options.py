"""Options that several commands share, and what can be told of a command line that cannot be read."""

from collections.abc import Sequence
from typing import Annotated

import typer

from aisbx.cli.request import OPTIONS

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Tail = Annotated[str, typer.Option("--tail", "-n", metavar="N", help="Only the last N.")]
Since = Annotated[
    str,
    typer.Option("--since", metavar="T", help="Only what is newer: an age (10m, 2h, 1d) or a date (2026-11-24T09:30)."),
]

_SHORT_WITH_VALUE = frozenset("pdwets")
"""Of `run`; with `exec`, `-d` is a flag."""


def wants_json(arguments: Sequence[str]) -> bool:
    """Say whether `--json` is among aisbx's own options, also where the command line is wrong elsewhere.

    Behind the command of `run` or `exec`, and behind `--`, it belongs to somebody else.
    """
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    if own[:1] not in (["run"], ["exec"]):
        return "--json" in own
    position = 2 if own[0] == "exec" and own[1:] and not own[1].startswith("-") else 1
    while position < len(own) and own[position].startswith("-") and own[position] != "-":
        word = own[position]
        if word == "--json":
            return True
        position += 2 if _takes_next(word, _SHORT_WITH_VALUE - {"d"} if own[0] == "exec" else _SHORT_WITH_VALUE) else 1
    return False


def _takes_next(word: str, with_value: frozenset[str]) -> bool:
    """Say whether an option's value is the next word: `--memory 1G`, `-t 3`, but not `--memory=1G` or `-t3`."""
    if word.startswith("--"):
        return word[2:] in OPTIONS
    for position, letter in enumerate(word[1:], start=2):
        if letter in with_value:
            return position == len(word)
    return False
