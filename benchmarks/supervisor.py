"""What a request to the supervisor costs, beside a bare FastAPI route that starts a process and waits for it.

python -m benchmarks.supervisor [--rounds N] [--idle N] [--json]

Both are asked in turn over connections that stay open, by hand, so that no client's time counts much. The exit code is
1 when a target is missed.
"""

import argparse
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.measure import BenchmarkError, Sample
from benchmarks.report import report
from benchmarks.table import TIMES, Row, plain, ratio

BARE = """
import os, socket, sys
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
app = FastAPI()
class Body(BaseModel):
    argv: list[str]
@app.post("/exec")
def run(body: Body) -> dict[str, int]:
    found = os.posix_spawnp(body.argv[0], body.argv, os.environ)
    return {"exit_code": os.waitstatus_to_exitcode(os.waitpid(found, 0)[1])}
listener = socket.create_server(("127.0.0.1", 0))
listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
print("serving", f"http://127.0.0.1:{listener.getsockname()[1]}", file=sys.stderr, flush=True)
uvicorn.Server(uvicorn.Config(app, http="h11", loop="asyncio", log_config=None)).run(sockets=[listener])
"""
ONE, MANY, STREAMS, RESIDENT, FIRST = 2.0, 0.7, 200, 200.0, 10.0
"""Times the bare route, of its throughput, streams at once, MiB with idle sandboxes, milliseconds to the first byte."""
OF_ONE = 40
"""Streams of one process at once; the supervisor lets in no more."""
_IDLE = 2.0
_CLIENTS, _CALLS, _BATCH = 32, 30, 320
_SPAWN = {"argv": ["true"]}


class Client:
    """A connection that stays."""

    def __init__(self, port: int) -> None:
        """Connect."""
        self._port = port
        self._connect()

    def _connect(self) -> None:
        self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb")
        self._used = time.monotonic()

    def ask(self, path: str, body: object = None, method: str = "POST") -> dict[str, Any]:
        """Send a request and give the data of its answer; BenchmarkError for a problem."""
        if time.monotonic() - self._used > _IDLE:  # both servers close a connection on which nothing happens
            self.close()
            self._connect()
        self.send(path, body, method)
        status, headers = self.head()
        self._used = time.monotonic()
        data = self._file.read(int(headers.get("content-length", "0")))
        if status >= 300:  # noqa: PLR2004 - what is done has 2xx
            raise BenchmarkError(f"{path}: {status} {data.decode()[:300]}")
        return json.loads(data) if data else {}

    def send(self, path: str, body: object, method: str = "POST", accept: str = "*/*") -> None:
        """Send one."""
        data = json.dumps(body).encode() if body is not None else b""
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nAccept: {accept}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
        self._socket.sendall(head.encode() + data)

    def head(self) -> tuple[int, dict[str, str]]:
        """Read the beginning of an answer."""
        status = int(self._file.readline().split()[1])
        headers: dict[str, str] = {}
        while line := self._file.readline().decode().strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return status, headers

    def line(self) -> bytes:
        """Read a line of a stream."""
        return self._file.readline()

    def close(self) -> None:
        """Leave."""
        self._file.close()
        self._socket.close()


@contextmanager
def served(argv: Sequence[str], environ: dict[str, str], errors: Path) -> Generator[tuple[int, int]]:
    """Start a server; gives its port and its number."""
    with errors.open("wb") as file:
        process = subprocess.Popen(argv, env=environ, cwd="/", stdin=subprocess.DEVNULL, stderr=file)
    try:
        until = time.monotonic() + 60
        while (found := re.search(r"serving http://127\.0\.0\.1:(\d+)", errors.read_text())) is None:
            if process.poll() is not None or time.monotonic() > until:
                raise BenchmarkError(errors.read_text()[-500:])
            time.sleep(0.02)
        yield int(found[1]), process.pid
    finally:
        process.terminate()
        process.wait()


def measure(directory: Path, rounds: int, idle: int) -> list[Row]:
    """Take all figures."""
    home = directory / "home"
    home.mkdir()
    environ = {"HOME": str(home), "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
    much = {f"AISBX_ADMISSION__{what}__{scope}": "1000000" for what in ("RATE", "CONCURRENT") for scope in _SCOPES}
    argv = [sys.executable, "-I", "-m", "aisbx_supervisor", "--no-auth", "--port", "0", "--profile", "shell"]
    argv += ["--sandboxes", "2000", "--workspaces", str(directory / "boxes"), "--drain", "1s"]
    with ExitStack() as stack:
        bare, _ = stack.enter_context(served([sys.executable, "-I", "-c", BARE], environ, directory / "bare"))
        ours, pid = stack.enter_context(served(argv, {**environ, **much}, directory / "ours"))
        client = Client(ours)
        stack.callback(client.close)
        try:
            client.ask("/api/v1/sandboxes", {"name": "one"})
            rows = [*_calls(bare, ours, rounds), _first(ours, rounds), _streams(ours)]
            for number in range(idle):
                client.ask("/api/v1/sandboxes", {"name": f"idle-{number}"})
            rows.append(
                Row(name=f"resident, {idle} idle sandboxes", figure=_resident(pid), unit="MiB", at_most=RESIDENT)
            )
        finally:
            for found in _all(client):
                client.ask(f"/api/v1/sandboxes/{found}?discard=true", method="DELETE")
    return rows


_SCOPES = ("RUN", "FILES", "PROTOCOL")
_EXEC = "/api/v1/sandboxes/one/exec"


def _all(client: Client) -> list[str]:
    names: list[str] = []
    after = ""
    while True:
        page = client.ask(f"/api/v1/sandboxes?limit=200{after}", method="GET")
        names += [row["name"] for row in page["sandboxes"]]
        if page["next"] is None:
            return names
        after = f"&after={page['next']}"


def _calls(bare: int, ours: int, rounds: int) -> list[Row]:
    times: dict[str, list[float]] = {"bare": [], "ours": []}
    rates: dict[str, list[float]] = {"bare": [], "ours": []}
    ways = {"bare": (bare, "/exec"), "ours": (ours, _EXEC)}
    one = {name: Client(port) for name, (port, _) in ways.items()}
    many = {name: [Client(port) for _ in range(_CLIENTS)] for name, (port, _) in ways.items()}
    with ThreadPoolExecutor(_CLIENTS) as threads:
        for _ in range(rounds):
            for name, (_, path) in ways.items():
                for _ in range(_CALLS):
                    began = time.perf_counter()
                    one[name].ask(path, _SPAWN)
                    times[name].append(time.perf_counter() - began)
                began = time.perf_counter()
                list(threads.map(_share, many[name], [path] * _CLIENTS))
                rates[name].append(_BATCH / (time.perf_counter() - began))
    for each in (*one.values(), *many["bare"], *many["ours"]):
        each.close()
    samples = {name: Sample(tuple(values)) for name, values in times.items()}
    middle = {name: Sample(tuple(values)).middle for name, values in rates.items()}
    return [
        plain("bare route: posix_spawn and wait", samples["bare"]),
        ratio("`POST exec` of `true`", samples["ours"], samples["bare"], ONE),
        Row(name=f"{_CLIENTS} clients, bare route", figure=middle["bare"], unit="/s"),
        Row(
            name=f"{_CLIENTS} clients, of its throughput",
            figure=middle["ours"] / middle["bare"],
            unit=TIMES,
            at_least=MANY,
        ),
    ]


def _share(client: Client, path: str) -> None:
    for _ in range(_BATCH // _CLIENTS):
        client.ask(path, _SPAWN)


def _first(port: int, rounds: int) -> Row:
    """Take the time from when a program writes to when a client has it."""
    found: list[float] = []
    for _ in range(max(5, rounds)):
        client = Client(port)
        client.send(_EXEC, {"argv": ["sh", "-c", "sleep 0.2; date +%s%N"]}, accept="text/event-stream")
        client.head()
        while True:
            line = client.line()
            if line.startswith(b'data: {"text"'):
                found.append(time.time() - int(json.loads(line[6:])["text"]) / 1e9)
                break
        client.close()
    sample = Sample(tuple(found))
    name = "a program's write to the client's first byte"
    return Row(
        name=name,
        figure=sample.middle * 1000,
        unit="ms",
        best_ms=sample.best * 1000,
        median_ms=sample.middle * 1000,
        at_most=FIRST,
    )


def _streams(port: int) -> Row:
    """Hold many streams open at once, as many of a process as may be, and see that each gets what comes."""
    asking = Client(port)
    heard = 0
    streams: list[Client] = []
    places: list[str] = []
    for number in range(STREAMS):
        if number % OF_ONE == 0:
            process = asking.ask("/api/v1/sandboxes/one/processes", {"argv": ["cat"], "stdin": True})["id"]
            places.append(f"/api/v1/sandboxes/one/processes/{process}")
        streams.append(client := Client(port))
        client.send(f"{places[-1]}/events", None, "GET", "text/event-stream")
    alive = sum(client.head()[0] == 200 for client in streams)  # noqa: PLR2004 - done
    for place in places:
        asking.ask(f"{place}/input", {"text": "all\n", "end": True})
    for client in streams:
        while (line := client.line()) and not line.startswith(b"event: end"):
            heard += b'"all' in line
        client.close()
    asking.close()
    return Row(name="streams at once that all get what comes", figure=min(alive, heard), unit="", at_least=STREAMS)


def _resident(pid: int) -> float:
    """Give the MiB that a process has resident."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    if found is None:
        raise BenchmarkError("the supervisor has ended")
    return int(found[1]) / 1024


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and give the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks.supervisor", description="what a request to the supervisor costs")
    parser.add_argument("--rounds", type=int, default=10, metavar="N")
    parser.add_argument("--idle", type=int, default=500, metavar="N", help="sandboxes that do nothing (500)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    if options.rounds < 1:
        parser.error("--rounds: at least 1")

    def measured() -> list[Row]:
        with tempfile.TemporaryDirectory(prefix="aisbx-bench-") as directory:
            return measure(Path(os.path.realpath(directory)), options.rounds, options.idle)

    return report(options, measured)


if __name__ == "__main__":
    sys.exit(main())
