"""What a command of a sandbox that lasts costs, as ratios in one run.

./dev bench --warm [--rounds N] [--idle N] [--json]

Everything runs in a temporary home. The exit code is 1 when a target is missed.
"""

import argparse
import marshal
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from aisbx import Sandbox, run

from benchmarks.measure import Bench, BenchmarkError, Sample, machine
from benchmarks.table import TIMES, Row, as_json, plain, ratio, render
from benchmarks.world import World

EXEC, COLD, LARGE, COMMAND, THROUGHPUT = 1.3, 5.0, 1.5, 1.5, 0.5
"""Times a bare posix_spawn; a bare bubblewrap by it; a small process; a bare interpreter; bare bubblewraps a second."""
IDLE = 4.0
"""MiB (PSS) of a sandbox in which nothing runs."""
IN_FLIGHT = 20
RESIDENT = 200 << 20
"""Bytes that the large process has."""
_TRUE = "/bin/true"
_PAGE = 4096
_AGAIN = 10
"""Commands in process to each round: they are short."""


def measure(world: World, bench: Bench, rounds: int, idle: int) -> list[Row]:
    """Take all figures; BenchmarkError when a command fails."""
    with Sandbox.create("bench") as sandbox:
        command = [world.launcher, "exec", "bench", "--", "true"]
        for argv in (command, world.bare_python(), world.bare_tool()):
            bench.seconds(argv)
        sandbox.exec([_TRUE], check=True)
        spawns, small = _in_turn(rounds * _AGAIN, _spawn, lambda: _exec(sandbox))
        outer = bench.interleaved(
            rounds, {"python": [world.bare_python()], "exec": [command], "bwrap": [world.bare_tool()]}
        )
        held = bytearray(RESIDENT)
        held[::_PAGE] = b"x" * len(held[::_PAGE])  # each page is there
        _, large = _in_turn(rounds * _AGAIN, _spawn, lambda: _exec(sandbox))
        del held
    rows = [
        plain("posix_spawn and wait of `true`", spawns),
        ratio("`Sandbox.exec` of it, in process", small, spawns, EXEC),
        ratio(f"the same, the process has {RESIDENT >> 20} MB, to a small one's", large, small, LARGE),
        Row(
            name="a cold bare bubblewrap to `Sandbox.exec`",
            figure=outer["bwrap"].middle / small.middle,
            unit=TIMES,
            at_least=COLD,
        ),
        plain("`python -I -S -c pass`", outer["python"]),
        ratio("`aisbx exec NAME -- true`", outer["exec"], outer["python"], COMMAND),
        _one_shots(world, bench),
    ]
    return [*rows, _idle(idle)]


def _in_turn(count: int, *works: Callable[[], None]) -> list[Sample]:
    times: list[list[float]] = [[] for _ in works]
    for _ in range(count):
        for work, spent in zip(works, times, strict=True):
            begin = time.perf_counter()
            work()
            spent.append(time.perf_counter() - begin)
    return [Sample(tuple(spent)) for spent in times]


def _spawn() -> None:
    os.waitpid(os.posix_spawn(_TRUE, ["true"], {}), 0)


def _exec(sandbox: Sandbox) -> None:
    if sandbox.exec([_TRUE]).code != 0:
        raise BenchmarkError("a command failed in its sandbox")


def _one_shot(_number: int) -> int:
    return run([_TRUE]).code


def _one_shots(world: World, bench: Bench) -> Row:
    """Compare throughputs: one-shot runs in process, many at once, and bare bubblewraps."""
    count = 2 * IN_FLIGHT
    bare = bench.per_second([world.bare_tool()], count, IN_FLIGHT)
    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        begin = time.perf_counter()
        codes = list(pool.map(_one_shot, range(count)))
        ours = count / (time.perf_counter() - begin)
    if any(codes):
        raise BenchmarkError("a run in process failed")
    name = f"{IN_FLIGHT} one-shot runs at once, in process: runs a second to bare bubblewraps'"
    return Row(name=name, figure=ours / bare, unit=TIMES, at_least=THROUGHPUT)


def _idle(count: int) -> Row:
    """Weigh sandboxes in which nothing runs: the processes that keep each."""
    alive: list[Sandbox] = []
    try:
        alive.extend(Sandbox.create(f"idle-{number}") for number in range(count))
        state = Path(os.environ["HOME"], ".local/state/aisbx/sandboxes")
        total = 0
        for sandbox in alive:
            held = marshal.loads((state / sandbox.name / "home/held").read_bytes())[1]
            total += sum(_pss(held[which][0]) for which in ("tool", "first"))
    finally:
        for sandbox in alive:
            sandbox.destroy()
    name = f"an idle sandbox, {count} alive (PSS)"
    return Row(name=name, figure=total / count / 1024, unit="MiB", at_most=IDLE)


def _pss(pid: int) -> int:
    """Give a process's share of memory in KiB (proc_pid_smaps_rollup: Pss)."""
    rows = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(row.split()[1]) for row in rows if row.startswith("Pss:"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and give the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks.warm", description="what a command of a lasting sandbox costs")
    parser.add_argument("--rounds", type=int, default=40, metavar="N")
    parser.add_argument("--idle", type=int, default=100, metavar="N", help="idle sandboxes to weigh")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    if options.rounds < 1 or options.idle < 1:
        parser.error("--rounds and --idle: at least 1")
    before, environ = os.getcwd(), dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="aisbx-bench-") as directory:
        world = World(Path(directory).resolve(), None)
        os.environ.clear()
        os.environ.update(world.environ)
        os.chdir(world.project)
        try:
            rows = measure(world, Bench(world.environ, f"{directory}/errors"), options.rounds, options.idle)
        except BenchmarkError as error:
            print(f"benchmarks: {error}", file=sys.stderr)
            return 1
        finally:
            os.chdir(before)
            os.environ.update(environ)
    print((as_json if options.json else render)(rows, options.rounds, machine()))
    return 0 if all(row.ok for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
