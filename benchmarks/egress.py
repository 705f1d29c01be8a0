"""What an allow-list costs a connection and its bytes, beside a direct connection and two hops of socat.

./dev bench --egress [--rounds N] [--bytes N] [--json]

The client is `benchmarks/egress_client.py`: Python sockets, CONNECT, pass-through. In a sandbox, it measures in turn a
server of its own there and one on the host through the proxy; on the host, in turn a server of its own and one behind
two hops of socat. All figures are times of the direct connection of the same turn.
The exit code is 1 when a target is missed, or a connection of the many at once is lost.
"""

import argparse
import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measure import BenchmarkError, Sample
from benchmarks.place import entered
from benchmarks.report import report
from benchmarks.table import TIMES, Row, plain, ratio
from benchmarks.world import World

CONNECT, BULK, CROWD = 3.5, 0.25, 500
"""Times a direct connection with an answer; of a direct one's throughput; connections at once."""
_CLIENT = Path(__file__).with_name("egress_client.py")
_PYTHON = "/usr/bin/python3"
"""Of both sides: a sandbox has it too."""
_Times = dict[str, dict[str, list[float]]]


def measure(world: World, rounds: int, size: int) -> list[Row]:
    """Take all figures; BenchmarkError when something fails."""
    (world.project / _CLIENT.name).write_bytes(_CLIENT.read_bytes())
    with _serving() as port, _hops(world.home, port) as relayed:
        sandbox = [world.launcher, "run", "--network", f"allow=localhost:{port},127.0.0.1:{port}", "--"]
        client = [_PYTHON, _CLIENT.name]
        ways = [f"proxy=@localhost:{port}", f"address=~localhost:{port}"]
        inside: _Times = json.loads(_said(world, [*sandbox, *client, "measure", str(rounds), str(size), *ways]))
        outside: _Times = json.loads(
            _said(world, [*client, "measure", str(rounds), str(size), f"socat=127.0.0.1:{relayed}"])
        )
        whole = int(_said(world, [*sandbox, *client, "crowd", str(CROWD), ways[0]]))
    direct, beside = _sample(inside, "direct", "echo"), _sample(outside, "direct", "echo")
    hops = _sample(outside, "socat", "echo").middle / beside.middle
    slower = _sample(outside, "direct", "bulk").middle / _sample(outside, "socat", "bulk").middle
    rows = [plain("connect and echo, direct, inside", direct)]
    for way, name in (("proxy", "by CONNECT"), ("address", "by a name's address")):
        taken = _sample(inside, way, "echo")
        throughput = _sample(inside, "direct", "bulk").middle / _sample(inside, way, "bulk").middle
        rows += [
            ratio(f"connect and echo, {name}", taken, direct, CONNECT),
            Row(
                name=f"the same, to two hops of socat, {name}",
                figure=taken.middle / direct.middle / hops,
                unit=TIMES,
                at_most=1,
            ),
            Row(name=f"throughput, {name}", figure=throughput, unit=TIMES, at_least=BULK),
            Row(name=f"the same, to two hops of socat, {name}", figure=throughput / slower, unit=TIMES, at_least=1),
        ]
    rows += [
        Row(name="connect and echo, two hops of socat", figure=hops, unit=TIMES),
        Row(name="throughput, two hops of socat", figure=slower, unit=TIMES),
        Row(name=f"of {CROWD} connections at once, whole", figure=whole, unit="", at_least=CROWD),
    ]
    return rows


def _sample(times: _Times, way: str, what: str) -> Sample:
    return Sample(tuple(times[way][what]))


def _said(world: World, argv: Sequence[str]) -> str:
    done = subprocess.run(argv, cwd=world.project, env=world.environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"{argv[0]} failed: {done.stderr.strip()}")
    return done.stdout


@contextmanager
def _serving() -> Generator[int]:
    """Serve on this machine's loopback; gives the port."""
    with subprocess.Popen([_PYTHON, str(_CLIENT), "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        yield int(server.stdout.readline())
        assert server.stdin is not None
        server.stdin.close()


@contextmanager
def _hops(home: Path, port: int) -> Generator[int]:
    """Relay as two socats do it, over a socket in the file system; gives the port to come in by."""
    socat = shutil.which("socat")
    if socat is None:
        raise BenchmarkError("there is no socat to compare with: install it (apt-get install socat)")
    with socket.create_server(("127.0.0.1", 0)) as free:
        entry = free.getsockname()[1]
    middle = f"{home}/hop"
    hops = [
        [socat, f"UNIX-LISTEN:{middle},fork,backlog=1024", f"TCP:127.0.0.1:{port},nodelay"],
        [socat, f"TCP-LISTEN:{entry},bind=127.0.0.1,reuseaddr,fork,nodelay,backlog=1024", f"UNIX-CONNECT:{middle}"],
    ]
    running = [subprocess.Popen(hop, stdin=subprocess.DEVNULL) for hop in hops]
    try:
        _await(entry)
        yield entry
    finally:
        for process in running:
            process.terminate()
            process.wait()


def _await(port: int) -> None:
    for _ in range(500):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.01)
        else:
            return
    raise BenchmarkError("socat does not listen")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and give the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks.egress", description="what an allow-list costs a connection")
    parser.add_argument("--rounds", type=int, default=40, metavar="N")
    parser.add_argument("--bytes", type=int, default=64 << 20, metavar="N", help="of each transfer in bulk")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    if options.rounds < 1 or options.bytes < 1:
        parser.error("--rounds and --bytes are 1 at least")

    def measured() -> list[Row]:
        with entered() as world:
            return measure(world, options.rounds, options.bytes)

    return report(options, measured)


if __name__ == "__main__":
    sys.exit(main())
