"""What a fork of a sandbox costs beyond making one, and whether the size of what it holds matters.

./dev bench --fork [--rounds N] [--files N] [--times N] [--json]

Everything runs in a temporary home. The exit code is 1 when a target is missed.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence

from aisbx import Sandbox

from benchmarks.measure import BenchmarkError, Sample
from benchmarks.place import entered
from benchmarks.report import report
from benchmarks.table import Row, plain

BEYOND = 2.0
"""Milliseconds that a fork may take longer than the making of an empty sandbox."""
SLOWER = 2.0
"""Milliseconds that one of `--times` the size may take longer."""
MOST = 40
"""Rounds: each puts two layers below."""
BYTES = 15_000
"""In each file: 20,000 of them are 300 MB."""
_FILL = """
import os, sys
data = os.urandom({bytes})
for number in range({files}):
    if number % 100 == 0:
        os.makedirs(f"env/{{number // 100}}", exist_ok=True)
    with open(f"env/{{number // 100}}/{{number}}", "wb") as file:
        file.write(data)
"""


def measure(rounds: int, files: int, times: int) -> list[Row]:
    """Take all figures; BenchmarkError when a command fails."""
    origins = {"empty": _origin("empty", 0), "one": _origin("one", files), "large": _origin("large", files * times)}
    works: dict[str, Callable[[], Sandbox]] = {"create": lambda: Sandbox.create(mode="cow")}
    works |= {name: origin.fork for name, origin in origins.items()}
    spent = _in_turn(rounds, works, origins)
    snapshots = _snapshots(rounds, origins)
    for origin in origins.values():
        origin.close()
    size = files * BYTES / 1e6
    one, large = f"{files:,} files, {size:.0f} MB", f"{files * times:,} files, {size * times:.0f} MB"
    return [
        plain("`Sandbox.create` in a `cow` workspace", spent["create"]),
        plain("`Sandbox.fork` of one that has written next to nothing", spent["empty"]),
        _beyond(f"of one that holds {one}: beyond `create`", spent["one"], spent["create"], BEYOND),
        _beyond(f"of one that holds {large}: beyond that", spent["large"], spent["one"], SLOWER),
        plain(f"`Sandbox.snapshot` of {one}", snapshots["one"]),
        _beyond(f"of {large}: beyond that", snapshots["large"], snapshots["one"], SLOWER),
    ]


def _beyond(name: str, sample: Sample, floor: Sample, most: float) -> Row:
    """Compare the rounds that were disturbed least: a process that has to wait for its turn tells nothing."""
    return Row(
        name=name,
        figure=(sample.best - floor.best) * 1e3,
        unit="ms",
        best_ms=sample.best * 1e3,
        median_ms=sample.middle * 1e3,
        at_most=most,
    )


def _origin(name: str, files: int) -> Sandbox:
    made = Sandbox.create(name, mode="cow")
    made.exec(["/usr/bin/python3", "-I", "-S", "-c", _FILL.format(bytes=BYTES, files=files)], check=True)
    return made


def _in_turn(rounds: int, works: dict[str, Callable[[], Sandbox]], origins: dict[str, Sandbox]) -> dict[str, Sample]:
    times: dict[str, list[float]] = {name: [] for name in works}
    gone: list[Sandbox] = []
    for number in range(rounds):
        for origin in origins.values():  # so that there is something to be put below
            origin.exec(["sh", "-c", f"echo {number} > last"], check=True)
        for name, work in works.items():
            begin = time.perf_counter()
            made = work()
            times[name].append(time.perf_counter() - begin)
            if name in origins and made.exec(["cat", "last"]).text != f"{number}\n":
                raise BenchmarkError("a fork does not hold what its origin did")
            gone.append(made)
    for made in gone:
        made.close()
    return {name: Sample(tuple(spent)) for name, spent in times.items()}


def _snapshots(rounds: int, origins: dict[str, Sandbox]) -> dict[str, Sample]:
    times: dict[str, list[float]] = {name: [] for name in origins}
    for number in range(rounds):
        for name, origin in origins.items():
            origin.exec(["sh", "-c", f"echo {number} > last"], check=True)
            begin = time.perf_counter()
            made = origin.snapshot()
            times[name].append(time.perf_counter() - begin)
            if made.mechanism != "overlay":
                raise BenchmarkError(f"a snapshot was taken by {made.mechanism}")
    return {name: Sample(tuple(spent)) for name, spent in times.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and give the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks.fork", description="what a fork of a sandbox costs")
    parser.add_argument("--rounds", type=int, default=15, metavar="N")
    parser.add_argument("--files", type=int, default=20_000, metavar="N", help=f"of {BYTES} bytes each")
    parser.add_argument("--times", type=int, default=10, metavar="N", help="how much more the large one holds")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    if not 0 < options.rounds <= MOST or options.files < 1 or options.times < 1:
        parser.error(f"--rounds: 1 to {MOST}; --files and --times: at least 1")

    def measured() -> list[Row]:
        with entered():
            return measure(options.rounds, options.files, options.times)

    return report(options, measured)


if __name__ == "__main__":
    sys.exit(main())
