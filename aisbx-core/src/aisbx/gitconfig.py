"""Name and e-mail from the user's global git configuration, read as text: no include is followed, nothing is run."""

import os
from collections.abc import Iterator
from pathlib import Path

from aisbx.errors import ConfigError
from aisbx.inputs import Inputs
from aisbx.paths import home, read_own

LONGEST = 256
"""Characters of a name or an address; more would only be there to break something."""

_ESCAPES = {"n": "\n", "t": "\t", "b": "\b", '"': '"', "\\": "\\"}


def user(inputs: Inputs) -> tuple[str, str]:
    """Give `user.name` and `user.email`, "" where not set; the last file that sets one wins (git-config(1))."""
    found = {"name": "", "email": ""}
    for file in _files(inputs):
        try:
            data = read_own(file, inputs)
        except ConfigError:
            continue  # an unreadable or foreign gitconfig only costs the name in commits
        if data:
            found |= dict(_entries(data.decode("utf-8", "replace")))
    return _printable(found["name"]), _printable(found["email"])


def _files(inputs: Inputs) -> list[Path]:
    named = inputs.env("GIT_CONFIG_GLOBAL")
    if named is not None:
        return [Path(named)] if os.path.isabs(named) else []
    config = inputs.env("XDG_CONFIG_HOME")
    base = Path(config) if config and os.path.isabs(config) else home(inputs) / ".config"
    return [base / "git" / "config", home(inputs) / ".gitconfig"]


def _entries(text: str) -> Iterator[tuple[str, str]]:
    """Give the entries of `[user]` that are wanted; sections and keys are in any case."""
    section = ""
    for line in text.replace("\r\n", "\n").replace("\\\n", "").split("\n"):
        stripped = line.strip()
        if stripped.startswith("["):
            section, _, stripped = stripped[1:].partition("]")
            section = section.strip().lower()
            stripped = stripped.strip()
        key, equals, value = stripped.partition("=")
        if section == "user" and equals and key.strip().lower() in {"name", "email"}:
            yield key.strip().lower(), _value(value)


def _value(text: str) -> str:
    """Undo quotes, escapes and comments (git-config(1), Syntax)."""
    out: list[str] = []
    kept = 0  # blanks count within quotes and between words, not at the end
    quoted = escaped = False
    for character in text.lstrip():
        if escaped:
            out.append(_ESCAPES.get(character, ""))
            escaped = False
            kept = len(out)
        elif character == "\\":
            escaped = True
        elif character == '"':
            quoted = not quoted
            kept = len(out)
        elif character in "#;" and not quoted:
            break
        else:
            out.append(character)
            if quoted or not character.isspace():
                kept = len(out)
    return "".join(out[:kept])


def _printable(text: str) -> str:
    return "".join(character for character in text if character.isprintable())[:LONGEST]
