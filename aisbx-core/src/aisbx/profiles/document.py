"""YAML as profiles use it: plain data with the line of every key, and no more of the language than that.

Scalars follow the core schema of YAML 1.2 (`yes`, `012` and `12:30` are text, not true, ten and 750). Tags,
anchors and aliases are refused: a profile is small, and they are how small files become large.
"""

import re
from dataclasses import dataclass, field
from typing import Any, cast

import yaml

from aisbx.errors import ProfileError

LARGEST = 256 * 1024
"""Bytes of one profile."""
DEEPEST = 20
"""Levels of nesting; the schema has four."""

Path = tuple[str | int, ...]
Scalar = str | int | float | bool | None

# YAML 1.2.2, section 10.3.2 (core schema), less octal, hexadecimal and special floats.
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,18})", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,18})\.[0-9]{1,18}", re.ASCII)

# libyaml where pyyaml was built with it: ten times as fast, same events.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(slots=True)
class Document:
    """`data` is what the file says; `lines` the line (from 1) where each key or entry stands."""

    file: str
    data: dict[str, object] = field(default_factory=dict[str, object])
    lines: dict[Path, int] = field(default_factory=dict[Path, int])

    def locate(self, path: Path) -> tuple[str, int]:
        """Give the dotted key and the line of a path as pydantic reports it, without names of its own making."""
        known: Path = ()
        for part in path:
            if (*known, part) in self.lines:
                known = (*known, part)
        return dotted(known), self.lines.get(known, 1)


def dotted(path: Path) -> str:
    """Write a path as people do: `limits.memory`, `mounts.0.source`."""
    return ".".join(map(str, path))


def parse(text: str, file: str) -> Document:
    """Read one profile; ProfileError with file, line and key for what is not allowed."""
    if len(text.encode("utf-8", "surrogateescape")) > LARGEST:
        raise ProfileError(f"is larger than {LARGEST} bytes", file=file)
    document = Document(file)
    try:
        data = _Builder(document, text).build()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = error.problem or error.context or "cannot be read"
        raise ProfileError(f"is not YAML: {what}", file=file, line=mark.line + 1 if mark else 1) from error
    except yaml.YAMLError as error:
        raise ProfileError(f"is not YAML: {str(error).splitlines()[0]}", file=file, line=1) from error
    if not isinstance(data, dict):
        raise ProfileError("is not a table of keys", file=file, line=1, hint="start with a description: line")
    document.data = cast("dict[str, object]", data)
    return document


class _Builder:
    """Builds from the parser's events, so that nothing is expanded and the depth is known at every step."""

    def __init__(self, document: Document, text: str) -> None:
        self._document = document
        # pyyaml's stubs leave events untyped.
        self._events: Any = yaml.parse(text, Loader=_LOADER)

    def build(self) -> object:
        event = next(self._events)
        data: object = None
        while not isinstance(event, yaml.StreamEndEvent):
            if isinstance(event, yaml.DocumentStartEvent):
                if data is not None:
                    raise self._refusal(event, "a second document begins here", hint="one profile is one file")
                data = self._node(next(self._events), (), 0)
            event = next(self._events)
        return data

    def _node(self, event: Any, path: Path, depth: int) -> object:  # noqa: ANN401 - one of pyyaml's events
        self._document.lines.setdefault(path, _line(event))
        if isinstance(event, yaml.AliasEvent) or event.anchor:
            raise self._refusal(event, "anchors and aliases are not accepted", path)
        if event.tag:
            raise self._refusal(event, "tags are not accepted", path)
        if depth > DEEPEST:
            raise self._refusal(event, "is nested too deeply", path)
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event)
        if isinstance(event, yaml.SequenceStartEvent):
            entries: list[object] = []
            while not isinstance(inner := next(self._events), yaml.SequenceEndEvent):
                entries.append(self._node(inner, (*path, len(entries)), depth + 1))
            return entries
        return self._table(path, depth)

    def _table(self, path: Path, depth: int) -> dict[str, object]:
        data: dict[str, object] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = _key(event)
            if key is None:
                raise self._refusal(event, "a key is not plain text", path, hint="quote it")
            here = (*path, key)
            if key in data:
                # Whichever would have won, half of the readers would have expected the other.
                raise self._refusal(event, f"stands twice (first in line {self._document.lines[here]})", here)
            self._document.lines[here] = _line(event)
            data[key] = self._node(next(self._events), here, depth + 1)
        return data

    def _refusal(self, event: Any, message: str, path: Path = (), *, hint: str = "") -> ProfileError:  # noqa: ANN401
        return ProfileError(message, file=self._document.file, line=_line(event), key=dotted(path), hint=hint)


def _line(event: Any) -> int:  # noqa: ANN401 - one of pyyaml's events
    return cast("int", event.start_mark.line) + 1


def _key(event: Any) -> str | None:  # noqa: ANN401 - one of pyyaml's events
    if not isinstance(event, yaml.ScalarEvent) or event.anchor or event.tag:  # pyright: ignore[reportUnknownMemberType]
        return None
    key = _scalar(event)
    return key if isinstance(key, str) else None


def _scalar(event: Any) -> Scalar:  # noqa: ANN401 - one of pyyaml's events
    text = cast("str", event.value)
    if not event.implicit[0]:  # quoted, or a block
        return text
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text
