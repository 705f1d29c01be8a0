"""What a command of a sandbox that lasts costs, as ratios in one run.

./dev bench --warm [--rounds N] [--alive N] [--json]

Everything runs in a temporary home. The exit code is 1 when a target is missed.
"""

import argparse
import marshal
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from aisbx import Pool, Sandbox, run

from benchmarks.measure import Bench, BenchmarkError, Sample
from benchmarks.memory import pss, sandbox_place, watcher
from benchmarks.peers.tools import UnavailableError
from benchmarks.place import entered
from benchmarks.podman import container
from benchmarks.report import report
from benchmarks.table import TIMES, Row, plain, ratio
from benchmarks.world import World

EXEC, COLD, LARGE, COMMAND, THROUGHPUT = 1.3, 5.0, 1.5, 1.5, 0.5
"""Times a bare posix_spawn; a bare bubblewrap by it; a small process; a bare interpreter; bare bubblewraps a second."""
IDLE = 4.0
"""MiB (PSS) of a sandbox in which nothing runs."""
FRESH, CROWDED = 2.0, 2.0
"""Times a command in a sandbox that is there; times what the first sandboxes took."""
IN_FLIGHT = 20
_BATCH, _BATCHES = 5, 5
"""Times as many runs as are in flight make a batch; batches, in turn with bubblewrap's."""
_SIZE, _TAKEN, _QUIET = 4, 12, 0.3
"""A pool's size, how many are taken, and seconds in between for it to be full again."""
_PROBES = 6
_MOST = 1000
RESIDENT = 200 << 20
"""Bytes that the large process has."""
_TRUE = "/bin/true"
_PODMAN = "podman"
_PAGE = 4096
_AGAIN = 10
"""Commands in process to each round: they are short."""


def measure(world: World, bench: Bench, rounds: int, alive: int) -> list[Row]:
    """Take all figures; BenchmarkError when a command fails."""
    with Sandbox.create("bench") as sandbox:
        command = [world.launcher, "exec", "bench", "--", "true"]
        for argv in (command, world.bare_python(), world.bare_tool()):
            bench.seconds(argv)
        sandbox.exec([_TRUE], check=True)
        spawns, small = in_turn(rounds * _AGAIN, _spawn, lambda: execute(sandbox))
        outer = _outer(world, bench, rounds, command)
        held = bytearray(RESIDENT)
        held[::_PAGE] = b"x" * len(held[::_PAGE])  # each page is there
        _, large = in_turn(rounds * _AGAIN, _spawn, lambda: execute(sandbox))
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
        # More than this nobody is faster: where it is less than that target, it is the processor that misses it.
        Row(name="the same to the bare spawn", figure=outer["bwrap"].middle / spawns.middle, unit=TIMES),
        plain("`python -I -S -c pass`", outer["python"]),
        ratio("`aisbx exec NAME -- true`", outer["exec"], outer["python"], COMMAND),
        ratio("the same, by Python alone (AISBX_FRONT=0)", outer["alone"], outer["python"], None),
        *(
            ratio("`podman exec NAME true`, to that", outer[name], outer["exec"], None)
            for name in outer
            if name == _PODMAN
        ),
        _fresh(min(rounds, _TAKEN)),
        *_one_shots(world, bench),
    ]
    return [*rows, *_crowd(alive, min(rounds, _PROBES))]


def _outer(world: World, bench: Bench, rounds: int, command: list[str]) -> dict[str, Sample]:
    """Time what is started as a process of its own, in turn; with podman where that works, or it is said why not."""
    alone = ["AISBX_FRONT=0", *command]
    commands = {"python": [world.bare_python()], "exec": [command], "alone": [alone], "bwrap": [world.bare_tool()]}
    with tempfile.TemporaryDirectory(prefix="podman-", dir=world.home, ignore_cleanup_errors=True) as directory:
        try:
            with container(Path(directory), world.environ) as inside:
                return bench.interleaved(rounds, {**commands, _PODMAN: [[*inside, "true"]]})
        except UnavailableError as error:
            print(f"benchmarks: no `podman exec` beside it: {error}", file=sys.stderr)
    return bench.interleaved(rounds, commands)


def in_turn(count: int, *works: Callable[[], object]) -> list[Sample]:
    """Time each of some works so many times, one after the other."""
    times: list[list[float]] = [[] for _ in works]
    for _ in range(count):
        for work, spent in zip(works, times, strict=True):
            begin = time.perf_counter()
            work()
            spent.append(time.perf_counter() - begin)
    return [Sample(tuple(spent)) for spent in times]


def _spawn() -> None:
    os.waitpid(os.posix_spawn(_TRUE, ["true"], {}), 0)


def execute(sandbox: Sandbox) -> None:
    """Run `true` in a sandbox; BenchmarkError where that fails."""
    if sandbox.exec([_TRUE]).code != 0:
        raise BenchmarkError("a command failed in its sandbox")


def _one_shot(_number: int) -> int:
    return run([_TRUE]).code


def _one_shots(world: World, bench: Bench) -> list[Row]:
    """Compare throughputs: one-shot runs in process, many at once, and bare bubblewraps; also the first, that plan."""
    command = [world.bare_tool()]
    first = _throughput(2 * IN_FLIGHT) / bench.per_second(command, 2 * IN_FLIGHT, IN_FLIGHT)
    count = _BATCH * IN_FLIGHT
    rounds = [_throughput(count) / bench.per_second(command, count, IN_FLIGHT) for _ in range(_BATCHES)]
    name = f"{IN_FLIGHT} one-shot runs at once, in process: runs a second to bare bubblewraps'"
    return [
        Row(name=name, figure=statistics.median(rounds), unit=TIMES, at_least=THROUGHPUT),
        Row(name=f"the first {2 * IN_FLIGHT} of a process, for which the plan is made", figure=first, unit=TIMES),
    ]


def _throughput(count: int) -> float:
    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        begin = time.perf_counter()
        codes = list(pool.map(_one_shot, range(count)))
        seconds = time.perf_counter() - begin
    if any(codes):
        raise BenchmarkError("a run in process failed")
    return count / seconds


def _fresh(rounds: int) -> Row:
    """Compare a fresh sandbox of a pool and its first command with a command in one that is there."""
    with Sandbox.create() as sandbox, Pool(_SIZE) as pool:

        def take() -> None:
            with pool.take() as fresh:
                execute(fresh)

        execute(sandbox)
        warm: list[float] = []
        taken: list[float] = []
        for _ in range(rounds):
            time.sleep(_QUIET)
            for work, spent in ((lambda: execute(sandbox), warm), (take, taken)):
                spent.append(_seconds(work))
    return ratio("a fresh sandbox of a pool and `true` in it", Sample(tuple(taken)), Sample(tuple(warm)), FRESH)


def _seconds(work: Callable[[], None]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def _crowd(count: int, probes: int) -> list[Row]:
    """Weigh sandboxes in which nothing runs, and see what one costs among many: the processes that keep each."""
    alive: list[Sandbox] = []
    try:
        first = _lives(probes)
        alive.extend(Sandbox.create(f"idle-{number}") for number in range(count))
        total = 0
        for sandbox in alive:
            held = marshal.loads((sandbox_place(sandbox.name) / "home/held").read_bytes())[1]
            total += sum(map(pss, (held["tool"][0], held["first"][0], watcher(sandbox.name))))
        last = _lives(probes)
    finally:
        for sandbox in alive:
            sandbox.destroy()
    rows = [
        ratio(f"{name}, {count} alive, to the first", late, early, CROWDED)
        for name, late, early in zip(("`create`", "`exec`", "`destroy`"), last, first, strict=True)
    ]
    name = f"an idle sandbox, {count} alive (PSS)"
    return [*rows, Row(name=name, figure=total / count / 1024, unit="MiB", at_most=IDLE)]


def _lives(probes: int) -> list[Sample]:
    """Time the making of some sandboxes, a command in each, and their end."""
    times: list[list[float]] = [[], [], []]
    for _ in range(probes):
        made: list[Sandbox] = []
        times[0].append(_seconds(lambda: made.append(Sandbox.create())))  # noqa: B023 - called at once
        execute(made[0])
        times[1].append(_seconds(lambda: execute(made[0])))  # noqa: B023 - called at once
        times[2].append(_seconds(lambda: made[0].__exit__(None, None, None)))  # noqa: B023 - called at once
    return [Sample(tuple(spent)) for spent in times]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and give the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks.warm", description="what a command of a lasting sandbox costs")
    parser.add_argument("--rounds", type=int, default=40, metavar="N")
    parser.add_argument("--alive", type=int, default=100, metavar="N", help="sandboxes to have at once")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    if options.rounds < 1 or not 0 < options.alive <= _MOST:
        parser.error(f"--rounds is 1 at least, --alive from 1 to {_MOST}")

    def measured() -> list[Row]:
        with entered() as world:
            return measure(world, Bench(world.environ, f"{world.home}/errors"), options.rounds, options.alive)

    return report(options, measured)


if __name__ == "__main__":
    sys.exit(main())
