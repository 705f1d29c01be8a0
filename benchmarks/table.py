"""The figures of a benchmark with their targets, as a table and as data."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from benchmarks.measure import Sample

TIMES = "\N{MULTIPLICATION SIGN}"
"""The unit of a figure that is a ratio to the floor's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure. A row without a target is for information."""

    name: str
    figure: float
    """What the target is held against."""
    unit: str
    """TIMES, "MiB" or "ms"."""
    best_ms: float | None = None
    median_ms: float | None = None
    best_ratio: float | None = None
    at_most: float | None = None
    at_least: float | None = None

    @property
    def ok(self) -> bool:
        """Tell whether the target is met; a figure that is no number meets none."""
        if self.at_most is not None and not self.figure <= self.at_most:
            return False
        return self.at_least is None or self.figure >= self.at_least

    @property
    def target(self) -> str:
        """The target in words."""
        if self.at_most is not None:
            return f"≤ {self.at_most:g} {self.unit}"
        return f"≥ {self.at_least:g} {self.unit}" if self.at_least is not None else ""


def render(rows: Sequence[Row], rounds: int, machine: dict[str, object]) -> str:
    """Give a Markdown table: it is read in a terminal and pasted into the documentation."""
    head = ("what", "min ms", "median ms", f"min {TIMES}", "figure", "target", "")
    lines = [head, *(_cells(row) for row in rows)]
    facts = ", ".join(f"{name} {value}" for name, value in machine.items())
    return "\n".join([*grid(lines), "", f"{rounds} rounds; {facts}"])


def grid(lines: Sequence[Sequence[str]]) -> list[str]:
    """Give the lines of a Markdown table; the first one is its head."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    padded = [[cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines]
    texts = [f"| {' | '.join(cells)} |" for cells in padded]
    texts.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return texts


def as_json(rows: Sequence[Row], rounds: int, machine: dict[str, object]) -> str:
    """Give one JSON object."""
    figures = [{**asdict(row), "ok": row.ok} for row in rows]
    return json.dumps({"machine": machine, "rounds": rounds, "ok": all(row.ok for row in rows), "rows": figures})


def _cells(row: Row) -> tuple[str, ...]:
    verdict = ("ok" if row.ok else "MISSED") if row.target else ""
    return (
        row.name,
        _number(row.best_ms, ".2f"),
        _number(row.median_ms, ".2f"),
        _number(row.best_ratio, ".2f"),
        f"{row.figure:.2f} {row.unit}",
        row.target,
        verdict,
    )


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def plain(name: str, sample: Sample) -> Row:
    """Give a time as a row, in milliseconds."""
    best, middle = sample.best * 1000, sample.middle * 1000
    return Row(name=name, figure=middle, unit="ms", best_ms=best, median_ms=middle)


def ratio(name: str, sample: Sample, floor: Sample, target: float | None) -> Row:
    """Give a time as a row, by its ratio to a floor, which may be `target` at most, where it has one."""
    return Row(
        name=name,
        figure=sample.middle / floor.middle,
        unit=TIMES,
        best_ms=sample.best * 1000,
        median_ms=sample.middle * 1000,
        best_ratio=sample.best / floor.best,
        at_most=target,
    )
