"""What a start and a command cost by each driver, side by side: a fresh sandbox, and one that is there.

./dev bench --drivers [--rounds N] [--json] [DRIVER...]

Everything runs in a temporary home, in a workspace that is read-only, as every driver has it. Without names it takes
those that can be used here.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measure import Bench, BenchmarkError, Sample
from benchmarks.report import report
from benchmarks.table import Row, plain, ratio
from benchmarks.world import World

DRIVERS = ("bwrap", "chroot", "lima")
_LENT = ("AISBX_DRIVERS__LIMA__IMAGE", "QEMU_SYSTEM_X86_64")
_PATIENCE = 600
"""Seconds for a first run: a machine may have to boot."""


def measure(world: World, bench: Bench, rounds: int, drivers: Sequence[str]) -> list[Row]:
    """Take all figures; BenchmarkError when a command fails, or none of the drivers can be used."""
    os.chdir(world.project)
    starts = {name: _start(world, name) for name in drivers}
    usable = [name for name, argv in starts.items() if _works(world, argv)]
    if not usable:
        raise BenchmarkError("none of these drivers can be used here")
    lasting = [name for name in usable if _works(world, _aisbx(world, "create", "--name", name, "-d", name))]
    try:
        commands = {"floor": [world.bare_python()], **{f"run {name}": [starts[name]] for name in usable}}
        commands |= {f"exec {name}": [_aisbx(world, "exec", name, "--", "true")] for name in lasting}
        for chain in commands.values():
            for argv in chain:
                bench.seconds(argv)
        times = bench.interleaved(rounds, commands)
    finally:
        for name in lasting:
            _works(world, [world.launcher, "destroy", name])
    return [
        plain("`python -I -S -c pass`", times["floor"]),
        *_rows("`aisbx run -d {} -- true`", "run", usable, times),
        *_rows("`aisbx exec NAME -- true`, NAME by {}", "exec", lasting, times),
    ]


def _rows(title: str, what: str, drivers: Sequence[str], times: dict[str, Sample]) -> list[Row]:
    return [ratio(title.format(name), times[f"{what} {name}"], times["floor"], None) for name in drivers]


def _aisbx(world: World, command: str, *words: str) -> list[str]:
    workspace = ("-w", f"{world.project}:ro") if command != "exec" else ()
    return [world.launcher, command, *workspace, *words]


def _start(world: World, driver: str) -> list[str]:
    return _aisbx(world, "run", "-d", driver, "--", "true")


def _works(world: World, argv: Sequence[str]) -> bool:
    """Try a command, and say why where it fails."""
    done = subprocess.run(argv, env=dict(world.environ), capture_output=True, text=True, timeout=_PATIENCE, check=False)
    if done.returncode:
        print(f"benchmarks: left out: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
    return done.returncode == 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and give the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks.drivers", description="drivers side by side")
    parser.add_argument("--rounds", type=int, default=20, metavar="N")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("drivers", nargs="*", metavar="DRIVER")
    options = parser.parse_args(arguments)
    before = os.getcwd()

    def measured() -> list[Row]:
        with tempfile.TemporaryDirectory(prefix="aisbx-bench-") as directory:
            world = World(Path(directory).resolve(), None)
            world.environ |= {name: os.environ[name] for name in _LENT if name in os.environ}
            bench = Bench(world.environ, f"{directory}/errors")
            try:
                return measure(world, bench, options.rounds, options.drivers or DRIVERS)
            finally:
                os.chdir(before)

    return report(options, measured)
