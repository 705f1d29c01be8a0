"""What `aisbx run` costs, as a ratio to its floor: a bare interpreter plus a bare bubblewrap that runs `true`.

python -m benchmarks.cold [--rounds N] [--json] [--command PATH-OF-AN-INSTALLED-AISBX]

Everything runs in a temporary home. The exit code is 1 when a target is missed.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measure import Bench, BenchmarkError, Sample
from benchmarks.report import report
from benchmarks.table import TIMES, Row, plain, ratio
from benchmarks.world import World

WARM, COLD = 1.5, 20.0
"""Times the floor."""
LARGE, LARGE_PLACED = 1.5, 2.0
"""Times the floor, in a large workspace: for an ordinary user, and for root, whose runs are placed in cgroups too."""
PEAK = 16.0
"""MiB of the launcher's own process."""
THROUGHPUT, IN_FLIGHT = 0.8, 20
FILES = 20_000
_SETTLED = 2.5
"""Seconds after which a directory that was just written is remembered rather than read again (see docs/adr/0004)."""


def measure(world: World, bench: Bench, rounds: int) -> list[Row]:
    """Take all figures; BenchmarkError when a command fails, or a run was not what its row says."""
    world.fill(FILES)
    time.sleep(_SETTLED)
    os.chdir(world.project)
    large = ("-w", str(world.large))
    # A time limit nobody has used yet: the resolved plan is another one each round.
    fresh = [world.run("--timeout", str(1000 + number)) for number in range(rounds)]
    for argv in (world.run(), world.lean(), world.run(*large), world.bare_python(), world.bare_tool()):
        bench.seconds(argv)  # the first run writes the plan, and fills the page cache
    if world.compiled:  # else Python would be measured under its name
        bench.seconds(["AISBX_FRONT=only", *world.run()])
        bench.seconds(["AISBX_FRONT=only", *world.run(*large)])
    known = _plans(world)
    times = bench.interleaved(
        rounds,
        {
            "python": [world.bare_python()],
            "bwrap": [world.bare_tool()],
            "warm": [world.run()],
            "alone": [["AISBX_FRONT=0", *world.run()]],
            "lean": [world.lean()],
            "large": [world.run(*large)],
            "changed": [[*world.run(*large)[:-1], "mktemp", "made.XXXXXX"]],
            "large alone": [["AISBX_FRONT=0", *world.run(*large)]],
            "cold": fresh,
        },
    )
    after = _plans(world)
    if any(after.get(name) != plan for name, plan in known.items()):
        raise BenchmarkError("a run that should have had its plan at hand wrote it anew")
    if len(after) != len(known) + rounds:
        raise BenchmarkError(f"{rounds} runs with fresh options left {len(after) - len(known)} plans")
    floor = times["python"].plus(times["bwrap"])
    return [
        plain("`python -I -S -c pass`", times["python"]),
        plain("`bwrap … true`", times["bwrap"]),
        plain("floor: the two together", floor),
        ratio("`aisbx run -- true`, warm plan", times["warm"], floor, WARM),
        ratio("the lean front by itself", times["lean"], floor, WARM),
        ratio(
            f"warm plan, {FILES:,} files in the workspace",
            times["large"],
            floor,
            LARGE if os.geteuid() else LARGE_PLACED,
        ),
        ratio(
            "the same, and each run makes a file in it",
            times["changed"],
            floor,
            LARGE if os.geteuid() else LARGE_PLACED,
        ),
        ratio("small, by Python alone (AISBX_FRONT=0)", times["alone"], floor, None),
        ratio(f"{FILES:,} files, by Python alone", times["large alone"], floor, None),
        ratio("cold plan: fresh options", times["cold"], floor, COLD),
        _in_flight(world, bench, rounds),
        _in_flight(world, bench, rounds, "AISBX_FRONT=0"),
        _peak(world, bench),
    ]


def _in_flight(world: World, bench: Bench, rounds: int, *variables: str) -> Row:
    """Compare throughputs: batches of the floor and of warm runs in turn."""
    floors: list[float] = []
    runs: list[float] = []
    floor, run = (world.bare_python(), world.bare_tool()), ([*variables, *world.run()],)
    batches = max(3, rounds // 10)
    for _ in range(batches):
        floors.append(bench.per_second(floor, 2 * IN_FLIGHT, IN_FLIGHT))
        runs.append(bench.per_second(run, 2 * IN_FLIGHT, IN_FLIGHT))
    share = Sample(tuple(mine / its for mine, its in zip(runs, floors, strict=True)))
    name = " ".join([f"{IN_FLIGHT} in flight: runs a second to the floor's", *variables])
    return Row(name=name, figure=share.middle, unit=TIMES, at_least=None if variables else THROUGHPUT)


def _peak(world: World, bench: Bench) -> Row:
    peaks = [bench.peak(world.python, world.run()) for _ in range(3)]
    return Row(name="launcher's peak resident set, warm plan", figure=max(peaks) / 1024, unit="MiB", at_most=PEAK)


def _plans(world: World) -> dict[str, int]:
    """Give when each plan was written; the compiled front's form of one lies beside it, under another name."""
    return {plan.name: plan.stat().st_mtime_ns for plan in world.plans.glob("[0-9a-f]*")}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and give the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks.cold", description="what a run costs against its floor")
    parser.add_argument("--rounds", type=int, default=40, metavar="N")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--command", type=Path, metavar="PATH", help="an installed aisbx, not this checkout's")
    options = parser.parse_args(arguments)
    if options.rounds < 1:
        parser.error("--rounds: at least 1")
    before = os.getcwd()

    def measured() -> list[Row]:
        with tempfile.TemporaryDirectory(prefix="aisbx-bench-") as directory:
            command = options.command.absolute() if options.command else None
            world = World(Path(directory).resolve(), command)
            try:
                return measure(world, Bench(world.environ, f"{directory}/errors"), options.rounds)
            finally:
                os.chdir(before)

    return report(options, measured)


if __name__ == "__main__":
    sys.exit(main())
