"""TOML with the line of every key, which `tomllib` does not tell."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import cast

from aisbx.errors import ConfigError

Path = tuple[str, ...]

_ASSIGNMENT = re.compile(
    r"""\s*((?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*'))*)\s*="""
)
_WHERE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


def parse(data: bytes, file: str) -> tuple[dict[str, object], dict[Path, int]]:
    """Give the document and the line (from 1) of each key; ConfigError with the line for what is not TOML."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError("is not UTF-8", file=file, line=line, hint="save it as UTF-8") from error
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        where = _WHERE.search(str(error))
        line = int(where[1]) if where and where[1] else text.count("\n") + 1
        what = _WHERE.sub("", str(error)) if not isinstance(error, RecursionError) else "nested too deeply"
        raise ConfigError(f"is not TOML: {what}", file=file, line=line) from error
    return document, dict(_lines(text))


def _lines(text: str) -> Iterator[tuple[Path, int]]:
    """Find headers and assignments; a line of a multi-line string may pass for one, which only blurs a message."""
    table: Path = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if line.lstrip().startswith("["):
            if path := _path(line):
                table = path
                yield table, number
        elif match := _ASSIGNMENT.match(line):
            path = _path(f"{match[1]} = 0")
            for end in range(1, len(path) + 1):
                yield (*table, *path[:end]), number


def _path(line: str) -> Path:
    """Let tomllib read the key of one line: `[a."b.c"]` → a, b.c."""
    try:
        rest: object = tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return ()
    path: list[str] = []
    while isinstance(rest, Mapping | list) and rest:
        if isinstance(rest, list):
            rest = cast("list[object]", rest)[0]
        else:
            key, rest = next(iter(cast("Mapping[str, object]", rest).items()))
            path.append(key)
    return tuple(path)
