"""Measure aisbx and its peers, interleaved, and print one table.

./dev bench --peers [--rounds N] [--json]

The exit code is 1 when aisbx misses a target of its own: WORK times the same work unconfined.
"""

import argparse
import json
import math
import os
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.measure import Bench, BenchmarkError, Sample, machine
from benchmarks.peers.tools import Peer, Shop, UnavailableError
from benchmarks.peers.work import TASKS, fill
from benchmarks.table import TIMES, grid
from benchmarks.world import World

WORK = 1.2
"""Times unconfined: `git status`, tar, find and a compile inside aisbx."""
OURS = "aisbx"
_FLOOR = "bubblewrap, bare"
_SETTLED = 2.5  # seconds, see benchmarks.cold
_REST = 0.2  # seconds between two tools: podman tidies up after its command has ended
_WORK_ROUNDS = 5
"""The share of the rounds (one in so many) that the workloads get: each takes as long as many starts."""


@dataclass(slots=True)
class Result:
    """What was seen of one tool; seconds."""

    name: str
    version: str = ""
    start: Sample | None = None
    work: dict[str, Sample] = field(default_factory=dict[str, Sample])
    why: list[str] = field(default_factory=list[str])
    """Why something of it is missing."""


def compare(world: World, prefix: Path, rounds: int) -> tuple[list[Result], dict[str, Sample]]:
    """Give the results, and the samples of the same work without a sandbox."""
    results: dict[str, Result] = {}
    peers: dict[str, tuple[Peer, Bench]] = {}
    fill(world)
    for name, make in Shop(prefix, world).every().items():
        result = results[name] = Result(name)
        try:
            peer = make()
        except UnavailableError as error:
            result.why.append(f"not measured: {error}")
            continue
        result.version = peer.version
        peers[name] = peer, Bench({**world.environ, **peer.environ}, str(prefix / f"errors.{len(peers)}"))
    time.sleep(_SETTLED)
    plain = Bench(world.environ, str(prefix / "errors"))
    os.chdir(world.project)
    for name, (peer, bench) in list(peers.items()):
        why = _tried(bench, (peer.cold or peer.command)(["true"]))
        if why:
            results[name].why.append(f"`true` fails: {why}")
            del peers[name]
    starts: dict[str, list[float]] = {name: [] for name in peers}
    for number in range(rounds):
        for name, (peer, bench) in _shuffled(peers, number):
            starts[name].append(bench.seconds((peer.cold or peer.command)(["true"])))
    for name, times in starts.items():
        results[name].start = Sample(tuple(times))
    return list(results.values()), _work(world, plain, peers, results, max(3, rounds // _WORK_ROUNDS))


def _work(
    world: World, plain: Bench, peers: dict[str, tuple[Peer, Bench]], results: dict[str, Result], rounds: int
) -> dict[str, Sample]:
    """Let every tool do every task once a round, after the same without one."""
    os.chdir(world.large)
    unconfined: dict[str, Sample] = {}
    for task in TASKS:
        able: dict[str, tuple[Peer, Bench]] = {}
        plain.seconds(task.plain)
        for name, (peer, bench) in peers.items():
            why = _tried(bench, peer.command(task.argv))
            if why:
                results[name].why.append(f"{task.name} fails: {why}")
            else:
                able[name] = peer, bench
        bare: list[float] = []
        times: dict[str, list[float]] = {name: [] for name in able}
        for number in range(rounds):
            bare.append(plain.seconds(task.plain))
            for name, (peer, bench) in _shuffled(able, number):
                times[name].append(bench.seconds(peer.command(task.argv)))
        unconfined[task.name] = Sample(tuple(bare))
        for name, values in times.items():
            results[name].work[task.name] = Sample(tuple(values))
    return unconfined


def _shuffled(peers: dict[str, tuple[Peer, Bench]], number: int) -> Iterator[tuple[str, tuple[Peer, Bench]]]:
    """Give the peers of a round in an order of its own: some leave work behind, which hits whoever comes next."""
    for item in random.Random(number).sample(list(peers.items()), len(peers)):
        yield item
        time.sleep(_REST)


def _tried(bench: Bench, argv: Sequence[str]) -> str:
    """Run a command once, which also warms what it keeps; gives why it fails, "" if it does not."""
    try:
        bench.seconds(argv)
    except BenchmarkError as error:
        return str(error).strip().splitlines()[-1].removeprefix(" ".join(argv) + ": ")[:200]
    return ""


def missed(results: Sequence[Result], unconfined: dict[str, Sample]) -> list[str]:
    """Give a line for each of aisbx's targets that is not met; what could not be measured meets none."""
    ours = next(result for result in results if result.name == OURS)
    lines: list[str] = []
    for task in TASKS:
        sample = ours.work.get(task.name)
        ratio = sample.middle / unconfined[task.name].middle if sample else math.nan
        if not ratio <= WORK:
            lines.append(f"MISSED: {task.name} in {OURS} takes {ratio:.2f} {TIMES} unconfined, target ≤ {WORK} {TIMES}")
    return lines


def render(results: Sequence[Result], unconfined: dict[str, Sample], rounds: int) -> str:
    """Give a Markdown table; each pair is the best round and the median."""
    floor = next((result.start for result in results if result.name == _FLOOR), None)
    rows: list[tuple[str, ...]] = [
        ("tool", "version", "`true`, ms", f"to bare bubblewrap, {TIMES}", *(f"{t.name}, {TIMES}" for t in TASKS))
    ]
    for result in results:
        start = result.start
        cells = [result.name, result.version]
        cells.append(f"{start.best * 1000:.1f} / {start.middle * 1000:.1f}" if start else "-")
        cells.append(_ratio(start, floor))
        cells += [_ratio(result.work.get(task.name), unconfined[task.name]) for task in TASKS]
        rows.append(tuple(cells))
    plain = [f"{sample.best * 1000:.0f} / {sample.middle * 1000:.0f} ms" for sample in unconfined.values()]
    rows.append(("no sandbox", "", "", "", *plain))
    notes = [f"- {result.name}: {why}" for result in results for why in result.why]
    facts = ", ".join(f"{name} {value}" for name, value in machine().items())
    last = f"min / median of {rounds} starts and {max(3, rounds // _WORK_ROUNDS)} rounds of work; {facts}"
    return "\n".join([*grid(rows), "", *notes, *([""] if notes else []), last])


def _ratio(sample: Sample | None, base: Sample | None) -> str:
    if sample is None or base is None:
        return "-"
    return f"{sample.best / base.best:.2f} / {sample.middle / base.middle:.2f}"


def _as_json(results: Sequence[Result], unconfined: dict[str, Sample], rounds: int) -> str:
    def both(sample: Sample | None) -> dict[str, float] | None:
        return {"min": sample.best, "median": sample.middle} if sample else None

    rows = [
        {
            "name": result.name,
            "version": result.version,
            "start": both(result.start),
            "work": {name: both(sample) for name, sample in result.work.items()},
            "why": result.why,
        }
        for result in results
    ]
    plain = {name: both(sample) for name, sample in unconfined.items()}
    return json.dumps({"machine": machine(), "rounds": rounds, "peers": rows, "unconfined": plain})


def main(arguments: Sequence[str]) -> int:
    """Install, measure, print, and give the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks --peers", description="aisbx among its peers")
    parser.add_argument("--rounds", type=int, default=20, metavar="N")
    parser.add_argument("--json", action="store_true", help="print one JSON object; times are seconds")
    options = parser.parse_args(arguments)
    if options.rounds < 1:
        parser.error("--rounds: at least 1")
    before = os.getcwd()
    # Not both in /tmp or /var/tmp: firejail hides the one, codex refuses to be at home in the other.
    with (
        TemporaryDirectory(prefix="aisbx-peers-") as home,
        TemporaryDirectory(dir="/var/tmp", ignore_cleanup_errors=True) as prefix,
    ):
        try:
            results, unconfined = compare(World(Path(home).resolve(), None), Path(prefix).resolve(), options.rounds)
        finally:
            os.chdir(before)
    print((_as_json if options.json else render)(results, unconfined, options.rounds))
    lines = missed(results, unconfined)
    if lines and not options.json:
        print("\n".join(["", *lines]))
    return 1 if lines else 0
