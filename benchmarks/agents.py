"""What an agent waits for: how soon the MCP server answers, and what a call costs, beside a server that does nothing.

python -m benchmarks.agents [--rounds N] [--json] [--packages]

Both are started in turn and spoken to by hand, so that no client's time counts. With `--packages`, numpy and pandas are
installed into a project's environment, for code that uses them. The exit code is 1 when a target is missed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.measure import BenchmarkError, Sample
from benchmarks.report import report
from benchmarks.table import TIMES, Row, plain, ratio

BARE = """
from mcp.server.mcpserver import MCPServer
server = MCPServer("bare", log_level="WARNING")
@server.tool()
async def run_command(command: list[str]) -> str:
    return "[exit 0]"
server.run("stdio")
"""
START, FIRST, CODE, PACKAGES = 1.15, 3.0, 3.0, 25.0
"""Times the bare server's start; times a later call; milliseconds; times a cold interpreter."""
OVER = 5.0
"""Milliseconds above a call of the bare server."""
_CALLS = 30
_CODE = "import numpy, pandas; print(pandas.DataFrame({'a': numpy.arange(9)}).a.sum())"


class Spoken:
    """A server, from its start on."""

    def __init__(self, argv: Sequence[str], environ: dict[str, str]) -> None:
        """Start it and wait until it has answered."""
        began = time.perf_counter()
        self._process = subprocess.Popen(
            argv, env=environ, cwd="/", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._count = 0
        who = {"name": "bench", "version": "1"}
        self._ask("initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo=who)
        self.start = time.perf_counter() - began
        self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def call(self, tool: str, **arguments: object) -> float:
        """Call a tool and give the seconds; BenchmarkError where it fails."""
        began = time.perf_counter()
        answer = self._ask("tools/call", name=tool, arguments=arguments)
        spent = time.perf_counter() - began
        if "result" not in answer or answer["result"].get("isError"):
            raise BenchmarkError(f"{tool}: {answer}")
        if not answer["result"]["content"][0]["text"].startswith(("[exit 0", "[ok")):
            raise BenchmarkError(f"{tool}: {answer}")
        return spent

    def close(self) -> None:
        """Close its input and wait for its end."""
        self._process.communicate()

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()

    def _ask(self, method: str, **params: object) -> dict[str, Any]:
        self._count += 1
        self._send({"jsonrpc": "2.0", "id": self._count, "method": method, "params": params})
        assert self._process.stdout
        while line := self._process.stdout.readline():
            answer: dict[str, Any] = json.loads(line)
            if answer.get("id") == self._count:
                return answer
        raise BenchmarkError(f"{method}: the server has ended")


def measure(directory: Path, rounds: int, *, packages: bool) -> list[Row]:
    """Take all figures."""
    home = directory / "home"
    project = home / "project"
    project.mkdir(parents=True)
    environ = {"HOME": str(home), "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
    bare_argv = [sys.executable, "-I", "-c", BARE]
    argv = [sys.executable, "-I", "-m", "aisbx_mcp", "--profile", "python-dev"]
    times: dict[str, list[float]] = {name: [] for name in ("bare", "start", "call", "first", "later", "code")}
    true = {"command": ["true"]}
    for _ in range(rounds):
        bare = Spoken(bare_argv, environ)
        times["bare"].append(bare.start)
        bare.call("run_command", **true)
        times["call"] += [bare.call("run_command", **true) for _ in range(_CALLS)]
        bare.close()
        ours = Spoken(argv, environ)
        times["start"].append(ours.start)
        times["first"].append(ours.call("run_command", **true))
        times["later"] += [ours.call("run_command", **true) for _ in range(_CALLS)]
        ours.call("run_code", code="1")
        times["code"] += [ours.call("run_code", code="print(1)") for _ in range(_CALLS)]
        ours.close()
    samples = {name: Sample(tuple(values)) for name, values in times.items()}
    over = (samples["later"].middle - samples["call"].middle) * 1000
    rows = [
        plain("bare SDK server: start to the answer of `initialize`", samples["bare"]),
        ratio("`aisbx-mcp`: the same", samples["start"], samples["bare"], START),
        plain("bare SDK server: a call", samples["call"]),
        plain("`run_command` of `true`", samples["later"]),
        Row(name="the same, above a bare call", figure=over, unit="ms", at_most=OVER),
        Row(
            name="the first call, to a later one",
            figure=samples["first"].middle / samples["later"].middle,
            unit=TIMES,
            best_ms=samples["first"].best * 1000,
            median_ms=samples["first"].middle * 1000,
            at_most=FIRST,
        ),
        Row(
            name="`run_code` of `print(1)`, warm",
            figure=samples["code"].middle * 1000,
            unit="ms",
            best_ms=samples["code"].best * 1000,
            median_ms=samples["code"].middle * 1000,
            at_most=CODE,
        ),
    ]
    return [*rows, *_with_packages(project, environ, argv, rounds)] if packages else rows


def _with_packages(project: Path, environ: dict[str, str], argv: list[str], rounds: int) -> list[Row]:
    """Compare code that uses numpy and pandas, in a new session each time, with an interpreter that imports them."""
    venv = project / ".venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    pip = [venv / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "numpy", "pandas"]
    subprocess.run(pip, check=True)
    ours = Spoken([*argv, "--workspace", str(project), "--preload", "numpy,pandas"], environ)
    cold: list[float] = []
    warm: list[float] = []
    try:
        ours.call("run_code", code=_CODE)
        ours.call("run_command", command=["python3", "-c", _CODE])
        for number in range(max(5, rounds)):
            cold.append(ours.call("run_command", command=["python3", "-c", _CODE]))
            warm.append(ours.call("run_code", code=_CODE, session=f"s{number % 3}", restart=True))
    finally:
        ours.close()
    first, second = Sample(tuple(cold)), Sample(tuple(warm))
    return [
        plain("numpy and pandas: a cold interpreter", first),
        plain("numpy and pandas: `run_code` in a new session", second),
        Row(name="the former to the latter", figure=first.middle / second.middle, unit=TIMES, at_least=PACKAGES),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and give the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks.agents", description="what an agent waits for")
    parser.add_argument("--rounds", type=int, default=10, metavar="N")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--packages", action="store_true", help="install numpy and pandas, and use them")
    options = parser.parse_args(arguments)
    if options.rounds < 1:
        parser.error("--rounds: at least 1")

    def measured() -> list[Row]:
        with tempfile.TemporaryDirectory(prefix="aisbx-bench-") as directory:
            return measure(Path(os.path.realpath(directory)), options.rounds, packages=options.packages)

    return report(options, measured)
