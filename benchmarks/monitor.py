"""What watching costs: calls that are allowed, and calls that are refused, in a watched sandbox and in another one.

./dev bench --monitor [--rounds N] [--json]

Everything runs in a temporary home. The exit code is 1 when a target is missed.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence

from aisbx import Sandbox
from aisbx_linux.seccomp.compile import call_names

from benchmarks.measure import BenchmarkError, Sample
from benchmarks.memory import pss, watcher
from benchmarks.place import entered
from benchmarks.report import report
from benchmarks.table import TIMES, Row

ALLOWED, NOTIFIED, COMMAND, MEMORY = 1.05, 15.0, 1.03, 1.0
"""Times the same call unwatched; microseconds more than the same refusal unwatched; times the same command; MiB."""
_MICRO = 1e6
_COMMANDS = 100
"""In turn with as many unwatched, each round."""
# The best of many short batches: on a busy machine most are interrupted, a few are not.
_INSIDE = """
import ctypes, json, time
call = ctypes.CDLL(None).syscall
def best(number, batches, calls):
    times = []
    for _ in range(batches):
        start = time.perf_counter()
        for _ in range(calls):
            call(number, 0, 0)
        times.append((time.perf_counter() - start) / calls)
    return min(times), sorted(times)[len(times) // 2]
best({refused}, 10, 100)  # so many are described; of the rest it is told how many
print(json.dumps([best({allowed}, 300, 300), best({refused}, 60, 50)]))
"""


def measure(rounds: int) -> list[Row]:
    """Take all figures, watched and not in turn; BenchmarkError when a command fails."""
    numbers = {name: number for number, name in call_names(os.uname().machine).items()}
    script = _INSIDE.format(allowed=numbers["getppid"], refused=numbers["swapoff"])
    names = ("plain", "watched")
    found: dict[str, list[list[list[float]]]] = {name: [] for name in names}
    spent: dict[str, list[float]] = {name: [] for name in names}
    with Sandbox.create("plain", monitor=False) as plain, Sandbox.create("watched") as watched:
        memory = pss(watcher("watched")) / 1024
        for _ in range(rounds):
            for name, sandbox in zip(names, (plain, watched), strict=True):
                done = sandbox.exec(["/usr/bin/python3", "-I", "-S", "-c", script])
                if not done.ok:
                    raise BenchmarkError(done.errors)
                found[name].append(json.loads(done.text))
            for number in range(_COMMANDS):
                pair = [("plain", plain), ("watched", watched)]
                for name, sandbox in pair if number % 2 else reversed(pair):  # who comes second is at an advantage
                    begin = time.perf_counter()
                    sandbox.exec(["true"], check=True)
                    spent[name].append(time.perf_counter() - begin)
    allowed, refused = (
        {name: Sample(tuple(row[kind][0] for row in rows)) for name, rows in found.items()} for kind in (0, 1)
    )
    middle = {name: Sample(tuple(row[1][1] for row in rows)) for name, rows in found.items()}
    commands = {name: Sample(tuple(times)) for name, times in spent.items()}
    return [
        Row(
            name="an allowed call, watched: times unwatched",
            figure=allowed["watched"].best / allowed["plain"].best,
            unit=TIMES,
            at_most=ALLOWED,
        ),
        _more("a refused call, watched: more than unwatched", refused, NOTIFIED),
        _more("the same, of the middle batch", middle, None),
        Row(
            name="`Sandbox.exec` of `true`, watched: times unwatched, of the medians",
            figure=commands["watched"].middle / commands["plain"].middle,
            unit=TIMES,
            at_most=COMMAND,
        ),
        Row(name="who watches an idle sandbox: PSS", figure=memory, unit="MiB", at_most=MEMORY),
    ]


def _more(name: str, samples: dict[str, Sample], most: float | None) -> Row:
    return Row(name=name, figure=(samples["watched"].best - samples["plain"].best) * _MICRO, unit="µs", at_most=most)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and give the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks.monitor", description="what watching a sandbox costs")
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    if options.rounds < 1:
        parser.error("--rounds: at least 1")

    def measured() -> list[Row]:
        with entered():
            return measure(options.rounds)

    return report(options, measured)


if __name__ == "__main__":
    sys.exit(main())
