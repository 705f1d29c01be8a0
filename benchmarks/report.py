"""The end of every benchmark: measure, print, and give the exit code."""

import argparse
import sys
from collections.abc import Callable, Sequence

from benchmarks.measure import BenchmarkError, machine
from benchmarks.table import Row, as_json, render


def report(options: argparse.Namespace, measure: Callable[[], Sequence[Row]]) -> int:
    """Print what `measure` takes, as a table or (`--json`) one object; 1 where it fails or a target is missed."""
    try:
        rows = measure()
    except BenchmarkError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    print((as_json if options.json else render)(rows, options.rounds, machine()))
    return 0 if all(row.ok for row in rows) else 1
