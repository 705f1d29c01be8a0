"""Read the ```console blocks of a Markdown file: commands behind `$ `, and what they are said to print.

In what is printed, `…` stands for any text, alone on a line for any number of lines. A command exits with 0 unless
it ends in a comment such as `# exits with 125`. Without printed lines only the exit code counts.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_EXITS = re.compile(r"#\s*exits with (\d+)\s*$")


@dataclass(frozen=True)
class Step:
    command: str
    expected: tuple[str, ...]
    exit_code: int


@dataclass(frozen=True)
class Block:
    where: str
    steps: tuple[Step, ...]


def blocks(path: Path, name: str) -> list[Block]:
    """Give the blocks of a file, each with the line where it begins; ValueError for one that cannot be read."""
    found: list[Block] = []
    lines = iter(enumerate(path.read_text().splitlines(), start=1))
    for number, line in lines:
        if line.strip() == "```console":
            indent = len(line) - len(line.lstrip())
            body = [text[indent:] for text in _until_fence(lines, f"{name}:{number}")]
            found.append(Block(f"{name}:{number}", tuple(steps(body, f"{name}:{number}"))))
    return found


def steps(body: list[str], where: str) -> Iterator[Step]:
    rest = list(body)
    while rest:
        line = rest.pop(0)
        if not line.startswith("$ "):
            raise ValueError(f"{where}: {line!r} comes before any command; commands begin with '$ '")
        command = line[2:]
        while command.endswith("\\") and rest:
            command = command[:-1] + rest.pop(0).removeprefix("> ")
        expected: list[str] = []
        while rest and not rest[0].startswith("$ "):
            expected.append(rest.pop(0))
        exits = _EXITS.search(command)
        yield Step(_EXITS.sub("", command).strip(), tuple(expected), int(exits[1]) if exits else 0)


def matches(expected: tuple[str, ...], printed: str) -> bool:
    """Say whether what was printed is what the document shows; blanks at the ends of lines do not count."""
    pattern = ""
    for line in expected:
        text = line.strip()
        if text == "…":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += re.sub(r"(?:\\ )+", r"[ \t]+", re.escape(text)).replace("…", ".*?") + r"[ \t]*\n"
    lines = [line.strip() for line in printed.splitlines()]
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in lines)) is not None


def _until_fence(lines: Iterator[tuple[int, str]], where: str) -> Iterator[str]:
    for _, line in lines:
        if line.strip() == "```":
            return
        yield line
    raise ValueError(f"{where}: the block has no end")
