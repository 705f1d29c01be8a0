"""What a change is: in a line, and as a unified diff of two texts.

Somebody hostile may have written them: it is bounded in time, and shown without their escapes.

Lines that are the same and unique in both are what it hangs on ("patience diff"); between them, small gaps are compared
line by line and large ones are shown as replaced. Time is n log n in the number of lines, whatever they are.
"""

import difflib
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from aisbx.cli.render import printable

if TYPE_CHECKING:
    from aisbx.types import Change, Layers

_LETTERS = {"added": "A", "modified": "M", "deleted": "D"}
LARGEST = 1 << 20
"""Bytes of a text that is shown."""
_GAP = 64
"""Lines of a gap, in either text, that is compared line by line."""
_CONTEXT = 3
_WIDEST = 2000
"""Characters of a line that are shown."""

Operation = tuple[str, int, int, int, int]


def headline(change: "Change") -> str:
    """Give one line for a change: a letter, the path, and what else is to be seen before it is applied."""
    said: list[str] = []
    if change.kind != "file":
        said.append(change.kind)
    if change.was_kind and change.was_kind != change.kind:
        said.append(f"was {change.was_kind}")
    if change.action == "modified" and change.mode != change.was_mode and change.kind != "unread":
        said.append(f"mode {change.was_mode:04o} -> {change.mode:04o}")
    if change.kind == "file":
        said.append(f"{change.was_size} -> {change.size} bytes" if change.action == "modified" else _size(change))
    if change.executable and change.action != "deleted":
        said.append("executable")
    if change.protected:
        said.append(f"THE HOST WOULD EXECUTE IT: {change.protected}")
    if change.conflict:
        said.append(f"CONFLICT: {change.conflict}")
    rest = f" ({'; '.join(said)})" if said else ""
    return f"{_LETTERS[change.action]} {printable(change.path)}{rest}"


def _size(change: "Change") -> str:
    return f"{change.size if change.action == 'added' else change.was_size} bytes"


def of_change(layers: "Layers", change: "Change") -> Iterator[str]:
    """Give the lines of a change's diff; none for what has no content."""
    if change.kind not in {"file", "link"}:
        return
    was, now = layers.contents(change, LARGEST)
    if (change.was_kind and was is None) or (change.action != "deleted" and now is None):
        yield "  (too large to be shown, or it can't be read)"
        return
    yield from unified(change.path, was, None if change.action == "deleted" else now)


def unified(path: str, was: bytes | None, now: bytes | None) -> Iterator[str]:
    """Give the lines of a diff; one line alone where either is no text."""
    if any(data is not None and b"\0" in data for data in (was, now)):
        yield "  (binary)"
        return
    before, after = _lines(was), _lines(now)
    operations = compare(before, after)
    if not operations:
        return
    shown = printable(path)
    yield f"--- {'/dev/null' if was is None else shown}"
    yield f"+++ {'/dev/null' if now is None else shown}"
    matcher = difflib.SequenceMatcher[str]()
    matcher.opcodes = _whole(operations, len(before), len(after))  # pyright: ignore[reportAttributeAccessIssue]
    for group in matcher.get_grouped_opcodes(_CONTEXT):
        yield f"@@ -{_span(group[0][1], group[-1][2])} +{_span(group[0][3], group[-1][4])} @@"
        for tag, first, last, start, end in group:
            if tag == "equal":
                yield from (f" {_shown(line)}" for line in before[first:last])
                continue
            yield from (f"-{_shown(line)}" for line in before[first:last])
            yield from (f"+{_shown(line)}" for line in after[start:end])


def compare(before: Sequence[str], after: Sequence[str]) -> list[Operation]:
    """Give what is replaced: ('replace', first, last, start, end) in ascending order, empty where they are equal."""
    operations: list[Operation] = []
    todo = [(0, len(before), 0, len(after))]
    while todo:
        first, last, start, end = _trimmed(before, after, *todo.pop())
        if first == last and start == end:
            continue
        if first == last or start == end:
            operations.append(("replace", first, last, start, end))
            continue
        anchors = _anchors(before[first:last], after[start:end])
        if anchors:
            edges = [(-1, -1), *anchors, (last - first, end - start)]
            todo += [
                (first + one[0] + 1, first + other[0], start + one[1] + 1, start + other[1])
                for one, other in pairwise(edges)
            ]
        elif max(last - first, end - start) <= _GAP:
            near = difflib.SequenceMatcher(None, before[first:last], after[start:end], autojunk=False)
            operations += [
                ("replace", first + one, first + two, start + three, start + four)
                for tag, one, two, three, four in near.get_opcodes()
                if tag != "equal"
            ]
        else:
            operations.append(("replace", first, last, start, end))
    return sorted(operations, key=lambda row: row[1:])


def _trimmed(
    before: Sequence[str], after: Sequence[str], first: int, last: int, start: int, end: int
) -> tuple[int, int, int, int]:
    while first < last and start < end and before[first] == after[start]:
        first, start = first + 1, start + 1
    while first < last and start < end and before[last - 1] == after[end - 1]:
        last, end = last - 1, end - 1
    return first, last, start, end


def _anchors(before: Sequence[str], after: Sequence[str]) -> list[tuple[int, int]]:
    """Give the longest ascending row of pairs of lines that are unique in both (by patience sorting)."""
    ones, others = Counter(before), Counter(after)
    places = {line: index for index, line in enumerate(after) if others[line] == 1}
    tops: list[int] = []
    piles: list[tuple[int, int, int]] = []
    last: list[int] = []
    for index, line in enumerate(before):
        if ones[line] != 1 or line not in places:
            continue
        place = places[line]
        at = bisect_left(tops, place)
        piles.append((index, place, last[at - 1] if at else -1))
        if at == len(tops):
            tops.append(place)
            last.append(len(piles) - 1)
        else:
            tops[at], last[at] = place, len(piles) - 1
    row: list[tuple[int, int]] = []
    at = last[-1] if last else -1
    while at >= 0:
        index, place, at = piles[at]
        row.append((index, place))
    return row[::-1]


def _whole(operations: Sequence[Operation], before: int, after: int) -> list[Operation]:
    """Add what is equal in between."""
    found: list[Operation] = []
    first = start = 0
    for operation in operations:
        if operation[1] > first:
            found.append(("equal", first, operation[1], start, operation[3]))
        found.append(operation)
        first, start = operation[2], operation[4]
    if first < before:
        found.append(("equal", first, before, start, after))
    return found


def _lines(data: bytes | None) -> list[str]:
    text = (data or b"").decode("utf-8", "surrogateescape")
    lines = text.split("\n")
    if lines[-1]:
        lines[-1] += "\n\\ No newline at end of file"
    else:
        lines.pop()
    return lines


def _shown(line: str) -> str:
    line, mark, rest = line.partition("\n")
    cut = f"… ({len(line)} characters)" if len(line) > _WIDEST else ""
    shown = "\t".join(printable(part) for part in line[:_WIDEST].split("\t"))
    return f"{shown}{cut}{mark}{rest}"


def _span(first: int, last: int) -> str:
    """Give a range of lines as diff -u does: from 1, and 0 before the first of none."""
    length = last - first
    return f"{first + 1}" if length == 1 else f"{first if not length else first + 1},{length}"
