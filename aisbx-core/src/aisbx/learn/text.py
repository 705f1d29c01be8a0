"""The file of a learned profile: valid YAML, each grant with its evidence behind it.

Paths and names in it were chosen by the command. Values are written as JSON has them, which is YAML too, and what is
said of them in a comment is one line of printable characters: so none of them can say anything else than itself.
"""

import json
import re
import time
from collections.abc import Iterable, Mapping
from typing import cast

from aisbx.learn.learned import Granted, Learned

_LISTS = ("toolchains", "path", "syscalls", "secrets")
_PLAIN = re.compile(r"[a-zA-Z/][A-Za-z0-9_./-]*")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off"})
_LONGEST = 300
_HALVES = 0xFFFF
_HEAD = """\
# Learned by `aisbx learn` from one run of {program}, {when}.
# It has what that run was seen to use, and nothing else. Read it before you use it: a host that was asked for is
# granted, whoever asked. docs/learning.md says what can be seen, and docs/profiles.md lists the keys.
"""


def profile_text(learned: Learned, program: str, now: float) -> str:
    """Give the file; `program` is the name of what was run, without its arguments, and `now` when it was learned."""
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
    lines = [_HEAD.format(program=comment(program), when=when).rstrip("\n")]
    lines.append(f"description: {_scalar(f'Learned from a run of {_short(program)}')}")
    if learned.extends:
        lines.append(f"extends: [{', '.join(learned.extends)}]")
    lines += _single("rootfs", learned)
    lines += _list("toolchains", learned)
    lines += _mounts(learned)
    lines += _table("environment", learned)
    for key in _LISTS[1:]:
        lines += _list(key, learned)
    for key in ("cache", "workspace", "shell"):
        lines += _single(key, learned)
    lines += _network(learned)
    lines += _table("limits", learned)
    lines += _said("Asked for and never granted", [f"{row.what} ({row.why}) {row.trace}" for row in learned.never])
    lines += _said("Unused", learned.unused)
    lines += _said("Notes", learned.notes)
    return "\n".join(lines) + "\n"


def comment(text: str) -> str:
    """Give text for a comment: one line, printable, not too long."""
    line = " ".join(text.split())
    line = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in line)
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def _short(program: str) -> str:
    return comment(program.rpartition("/")[2])[:100].encode("ascii", "replace").decode()


def _scalar(value: object) -> str:
    if isinstance(value, str):
        return value if _PLAIN.fullmatch(value) and value.lower() not in _WORDS else _quoted(value)
    if isinstance(value, Mapping):
        rows = cast("Mapping[str, object]", value).items()
        return f"{{ {', '.join(f'{key}: {_scalar(item)}' for key, item in rows)} }}"
    return json.dumps(value)


def _quoted(text: str) -> str:
    """Write a string as JSON has it, but for what that writes as two halves, which are no letter to YAML."""
    letters = (json.dumps(one)[1:-1] if ord(one) <= _HALVES else f"\\U{ord(one):08x}" for one in text)
    return f'"{"".join(letters)}"'


def _with(line: str, granted: Granted) -> str:
    return f"{line}  # {comment(granted.why)}"


def _single(key: str, learned: Learned) -> list[str]:
    return [_with(f"{key}: {_scalar(granted.value)}", granted) for granted in learned.of(key)]


def _list(key: str, learned: Learned) -> list[str]:
    rows = [_with(f"  - {_scalar(granted.value)}", granted) for granted in learned.of(key)]
    return [f"{key}:", *rows] if rows else []


def _table(key: str, learned: Learned) -> list[str]:
    rows: list[str] = []
    for granted in learned.of(key):
        name, value = cast("tuple[str, object]", granted.value)
        rows.append(_with(f"  {name}: {_scalar(value)}", granted))
    return [f"{key}:", *rows] if rows else []


def _mounts(learned: Learned) -> list[str]:
    lines: list[str] = []
    for granted in learned.of("mounts"):
        (first, source), *rest = cast("dict[str, object]", granted.value).items()
        lines.append(_with(f"  - {first}: {_scalar(source)}", granted))
        lines += [f"    {key}: {_scalar(value)}" for key, value in rest]
    return ["mounts:", *lines] if lines else []


def _network(learned: Learned) -> list[str]:
    rows = list(learned.of("network"))
    if [row.value for row in rows] == ["none"]:
        return [_with("network: none", rows[0])]
    return ["network:", "  allow:", *(_with(f"    - {_quoted(str(row.value))}", row) for row in rows)]


def _said(heading: str, rows: Iterable[str]) -> list[str]:
    lines = [f"#   {comment(row)}" for row in rows]
    return ["#", f"# {heading}:", *lines] if lines else []
