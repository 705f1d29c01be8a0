"""What a start and a command cost by each driver, side by side: a fresh sandbox, and one that is there.

./dev bench --drivers [--rounds N] [--json] [DRIVER...]

Everything runs in a temporary home, in a workspace that is read-only, as every driver has it. Without names it takes
those that can be used here. Commands of the virtual machine's are held against what ssh, multiplexed, takes for one.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from aisbx import Sandbox

from benchmarks.measure import Bench, BenchmarkError, Sample
from benchmarks.place import entered
from benchmarks.report import report
from benchmarks.table import Row, plain, ratio
from benchmarks.warm import execute, in_turn
from benchmarks.world import World

DRIVERS = ("bwrap", "chroot", "lima")
MACHINE = 1.3
"""Times ssh, multiplexed."""
_LENT = ("AISBX_DRIVERS__LIMA__IMAGE", "AISBX_DRIVERS__LIMA__LIMACTL", "QEMU_SYSTEM_X86_64")
_LIMA = "lima"
_SSH = "ssh"
_PATIENCE = 600
"""Seconds for a first run: a machine may have to boot."""


def measure(world: World, bench: Bench, rounds: int, drivers: Sequence[str]) -> list[Row]:
    """Take all figures; BenchmarkError when a command fails, or none of the drivers can be used."""
    starts = {name: _aisbx(world, "run", "-d", name, "--", "true") for name in drivers}
    usable = [name for name, argv in starts.items() if _works(world, argv)]
    if not usable:
        raise BenchmarkError("none of these drivers can be used here")
    lasting = [name for name in usable if _works(world, _aisbx(world, "create", "--name", name, "-d", name))]
    commands = {"floor": [world.bare_python()], **{f"run {name}": [starts[name]] for name in usable}}
    commands |= {f"exec {name}": [_aisbx(world, "exec", name, "--", "true")] for name in lasting}
    if _LIMA in lasting:
        commands[_SSH] = [_ssh(world)]
    for chain in commands.values():
        for argv in chain:
            bench.seconds(argv)
    times = bench.interleaved(rounds, commands)
    inside = _inside(world, bench, rounds, lasting)
    rows = [
        plain("`python -I -S -c pass`", times["floor"]),
        *_rows("`aisbx run -d {} -- true`", "run", usable, times),
        *_rows("`aisbx exec NAME -- true`, NAME by {}", "exec", lasting, times),
        *(plain(f"`Sandbox.exec` of `true`, in process, by {name}", inside[name]) for name in lasting),
    ]
    if _LIMA in lasting:
        rows += [
            plain("`true` in the machine of lima by ssh, multiplexed", times[_SSH]),
            ratio("`aisbx exec NAME -- true` by lima, to that", times[f"exec {_LIMA}"], times[_SSH], MACHINE),
            plain("`true` by that, in turn with `Sandbox.exec`", inside[_SSH]),
            ratio("`Sandbox.exec` by lima, to that", inside[_LIMA], inside[_SSH], MACHINE),
        ]
    return rows


def _inside(world: World, bench: Bench, rounds: int, lasting: Sequence[str]) -> dict[str, Sample]:
    """Time commands of sandboxes that this process has open, in turn, and what ssh takes in the machine of one."""
    with ExitStack() as stack:
        works: dict[str, Callable[[], object]] = {}
        for name in lasting:
            sandbox = Sandbox.attach(name)
            stack.callback(sandbox.close)
            works[name] = partial(execute, sandbox)
        if _LIMA in lasting:
            works[_SSH] = partial(bench.seconds, _ssh(world))
        for work in works.values():
            work()
        return dict(zip(works, in_turn(rounds, *works.values()), strict=True))


def _rows(title: str, what: str, drivers: Sequence[str], times: dict[str, Sample]) -> list[Row]:
    return [ratio(title.format(name), times[f"{what} {name}"], times["floor"], None) for name in drivers]


def _ssh(world: World) -> list[str]:
    return ["/usr/bin/ssh", "-F", f"{world.home}/.cache/aisbx/lima/aisbx/ssh.config", "lima-aisbx", "true"]


def _aisbx(world: World, command: str, *words: str) -> list[str]:
    workspace = ("-w", f"{world.project}:ro") if command != "exec" else ()
    return [world.launcher, command, *workspace, *words]


def _works(world: World, argv: Sequence[str]) -> bool:
    """Try a command, and say why where it fails."""
    done = subprocess.run(argv, env=dict(world.environ), capture_output=True, text=True, timeout=_PATIENCE, check=False)
    if done.returncode:
        print(f"benchmarks: left out: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
    return done.returncode == 0


def _stop(world: World) -> None:
    """End the machine, if one was started."""
    if Path(f"{world.home}/.cache/aisbx/lima").exists():
        argv = [str(Path(world.python).with_name("aisbx-driver-lima")), "stop", "--force"]
        subprocess.run(argv, env=dict(world.environ), stdout=subprocess.DEVNULL, timeout=_PATIENCE, check=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and give the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks.drivers", description="drivers side by side")
    parser.add_argument("--rounds", type=int, default=20, metavar="N")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("drivers", nargs="*", metavar="DRIVER")
    options = parser.parse_args(arguments)
    lent = {name: os.environ[name] for name in _LENT if name in os.environ}

    def measured() -> list[Row]:
        with ExitStack() as stack:
            world = stack.enter_context(entered())
            stack.callback(_stop, world)
            world.environ |= lent
            os.environ.update(lent)
            bench = Bench(world.environ, f"{world.home}/errors")
            try:
                return measure(world, bench, options.rounds, options.drivers or DRIVERS)
            finally:
                for name in Sandbox.names():
                    Sandbox.attach(name).destroy(discard=True)

    return report(options, measured)
