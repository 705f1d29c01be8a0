"""YAML as profiles use it: plain data with the line of every key, and no more of the language than that.

Scalars follow the core schema of YAML 1.2 (`yes`, `012` and `12:30` are text, not true, ten and 750). Tags,
anchors and aliases are refused: a profile is small, and they are how small files become large.
"""

import re
from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from aisbx.errors import ProfileError

if TYPE_CHECKING:
    from yaml.nodes import Node

LARGEST = 256 * 1024
"""Bytes of one profile."""
DEEPEST = 20
"""Levels of nesting; the schema has four."""

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """`data` is what the file says; `lines` the line (from 1) where each key or entry stands."""

    file: str
    data: dict[str, object]
    lines: dict[Path, int]

    def locate(self, path: Path) -> tuple[str, int]:
        """Give the dotted key and the line of a path as pydantic reports it, without names of its own making."""
        known: Path = ()
        for part in path:
            if (*known, part) in self.lines:
                known = (*known, part)
        return ".".join(map(str, known)), self.lines.get(known, 1)


def parse(text: str, file: str) -> Document:
    """Read one profile; ProfileError with file, line and key for what is not allowed."""
    if len(text.encode("utf-8", "surrogateescape")) > LARGEST:
        raise ProfileError(f"is larger than {LARGEST} bytes", file=file)
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            raise ProfileError("is empty", file=file, line=1, hint="start with a description: line")
        lines: dict[Path, int] = {}
        data = _plain(node, (), lines, file)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = error.problem or error.context or "cannot be read"
        raise ProfileError(f"is not YAML: {what}", file=file, line=mark.line + 1 if mark else 1) from error
    except yaml.YAMLError as error:
        raise ProfileError(f"is not YAML: {str(error).splitlines()[0]}", file=file, line=1) from error
    finally:
        loader.dispose()
    if not isinstance(data, dict):
        raise ProfileError("is not a table of keys", file=file, line=1, hint="start with a description: line")
    return Document(file, data, lines)


class _Loader(yaml.SafeLoader):
    """Composes nodes only; the pure Python one, because the C parser can't be stopped at a depth."""

    # A copy of its own: pyyaml shares the table between classes.
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    _depth = 0

    def compose_node(self, parent: "Node | None", index: Any) -> "Node | None":  # noqa: ANN401 - pyyaml's own
        event: Any = self.peek_event()
        if isinstance(event, yaml.AliasEvent) or event.anchor:
            raise yaml.MarkedYAMLError(problem="anchors and aliases are not accepted", problem_mark=event.start_mark)
        if event.tag:
            raise yaml.MarkedYAMLError(problem="tags are not accepted", problem_mark=event.start_mark)
        if self._depth >= DEEPEST:
            raise yaml.MarkedYAMLError(problem="nested too deeply", problem_mark=event.start_mark)
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


# YAML 1.2.2, section 10.3.2: the core schema, less octal, hexadecimal and special floats.
for _tag, _pattern, _first in (
    ("tag:yaml.org,2002:bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("tag:yaml.org,2002:int", r"^[-+]?(?:0|[1-9][0-9]{0,18})$", "-+0123456789"),
    ("tag:yaml.org,2002:float", r"^[-+]?(?:0|[1-9][0-9]{0,18})\.[0-9]{1,18}$", "-+0123456789"),
    ("tag:yaml.org,2002:null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
):
    _Loader.add_implicit_resolver(_tag, re.compile(_pattern), list(_first))


def _plain(node: "Node", path: Path, lines: dict[Path, int], file: str) -> object:
    """Turn a node into data; a key that stands twice is refused, whichever would have won."""
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(entry, (*path, position), lines, file) for position, entry in enumerate(node.value)]
    data: dict[str, object] = {}
    for key_node, value_node in node.value:
        key: Hashable = _scalar(key_node) if isinstance(key_node, yaml.ScalarNode) else None
        line = key_node.start_mark.line + 1
        where = ".".join(map(str, path))
        if not isinstance(key, str):
            raise ProfileError("a key is not text", file=file, line=line, key=where, hint="quote it")
        here = (*path, key)
        if key in data:
            raise ProfileError(f"stands twice (first in line {lines[here]})", file=file, line=line, key=_dotted(here))
        lines[here] = line
        data[key] = _plain(value_node, here, lines, file)
    return data


def _dotted(path: Path) -> str:
    return ".".join(map(str, path))


def _scalar(node: yaml.ScalarNode) -> str | int | float | bool | None:
    text: str = node.value
    match node.tag:
        case "tag:yaml.org,2002:bool":
            return text.lower() == "true"
        case "tag:yaml.org,2002:int":
            return int(text)
        case "tag:yaml.org,2002:float":
            return float(text)
        case "tag:yaml.org,2002:null":
            return None
        case _:
            return text
