"""`./dev soak --supervisor`: half an hour of clients of one supervisor, that is killed twenty times meanwhile.

python -m benchmarks.soak --supervisor [--minutes N] [--clients N] [--kills N] [--seed N]

Its socket is held here, as systemd holds it, so that whoever comes while it is away waits. Each client has a key of its
own, looks at each answer, and remembers what was promised: a sandbox that was made is there until it is destroyed, a
file that was written is what it was, a command that was answered has been run and recorded, one with an
Idempotency-Key was run once, a process in the background goes on, and each line that it prints arrives once, in order.

In the end no process, mount, cgroup, namespace or file is left, and the audit log's chain is whole.
"""

import argparse
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from http.client import HTTPConnection
from pathlib import Path

from aisbx.audit.read import read_log
from aisbx.audit.verify import verify
from aisbx.engine import Engine
from aisbx.keys import Keyring

from benchmarks.rest_client import Client, WrongError
from benchmarks.soak import LIFE, Left, left

SETTLING = 60.0
_SWEPT = 180.0
"""Seconds after which a directory is gone whose sandbox was never made: the supervisor waits for two minutes itself."""
_GLANCE = 0.0005
_AWAY = (0.0, 1.5)
"""Seconds between a kill and the next start, at least and at most."""
_MUCH = "[admission.{0}]\nrun = 1000000\nfiles = 1000000\nadmin = 1000000\nprotocol = 1000000\n"
_HANDED = """
import os, sys
os.environ["LISTEN_PID"] = str(os.getpid())
os.dup2(int(sys.argv[1]), 3)
os.execv(sys.argv[2], sys.argv[2:])
"""


class Service:
    """A supervisor in a home of its own, that can be killed and started again."""

    def __init__(self, home: Path) -> None:
        """Start it."""
        self.home = home
        (home / ".config/aisbx").mkdir(parents=True)
        (home / ".config/aisbx/config.toml").write_text(_MUCH.format("rate") + _MUCH.format("concurrent"))
        self.environ = {"HOME": str(home), "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
        self.keys = Keyring(home / ".local/state/aisbx")
        self.said = home / "stderr"
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        self._begin()
        self.answer()

    def _begin(self) -> None:
        number = self._listener.fileno()
        server = [sys.executable, "-I", "-m", "aisbx_supervisor", "--profile", "shell", "--drain", "10s"]
        server += ["--workspaces", str(self.home / "boxes")]
        argv = [sys.executable, "-c", _HANDED, str(number), *server]
        with self.said.open("ab") as file:
            self.process = subprocess.Popen(
                argv,
                env={**self.environ, "LISTEN_FDS": "1"},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stderr=file,
                pass_fds=(number,),
            )

    def kill(self, away: float) -> None:
        """Kill it, and start the next one after so many seconds."""
        if self.process.poll() is not None:
            raise WrongError(f"it had ended by itself: {self.said.read_text()[-500:]}")
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        time.sleep(away)
        self._begin()
        self.answer()

    def answer(self) -> None:
        """Wait until it answers."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=SETTLING)
        connection.request("GET", "/health")
        connection.getresponse().read()
        connection.close()

    def end(self) -> int:
        """Ask it to end; gives its exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(60)
        finally:
            self.process.kill()
            self._listener.close()


def _audit(service: Service, clients: Sequence[Client]) -> list[str]:
    """See that the log is whole and has what was answered."""
    engine = Engine(service.environ, "/")
    found = verify(engine.audit)
    wrong = [str(problem) for problem in found.problems]
    rows = read_log(engine.audit["path"]).records
    ended = Counter(row.text("run") for row in rows if row.text("kind") == "exec.end")
    made = Counter(row.text("run") for row in rows if row.text("kind") == "sandbox.create")
    runs = [run for client in clients for run in client.runs]
    wrong += [f"the command {run} is recorded {ended[run]} times" for run in runs if ended[run] != 1]
    there = [name for client in clients for name in client.made]
    wrong += [f"the making of {name} is recorded {made[name]} times" for name in there if made[name] != 1]
    print(f"soak: {found.records} records; {len(runs)} commands were answered, {len(there)} sandboxes made")
    return wrong


def _soak(service: Service, clients: Sequence[Client], options: argparse.Namespace, chance: random.Random) -> None:
    seconds = options.minutes * 60
    until = time.monotonic() + seconds
    threads = [threading.Thread(target=client.go_on, args=(until,), daemon=True) for client in clients]
    for thread in threads:
        thread.start()
    began = time.monotonic()
    for number in range(options.kills):
        at = began + (number + chance.uniform(0.3, 0.9)) * seconds / options.kills
        time.sleep(max(0.0, at - time.monotonic()))
        patience = time.monotonic() + SETTLING
        while not any(client.waits() for client in clients) and time.monotonic() < patience:
            time.sleep(_GLANCE)
        service.kill(chance.uniform(*_AWAY))
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()) + 180)
    if any(thread.is_alive() for thread in threads):
        raise WrongError("a client waits still, three minutes after the end")


def main(arguments: Sequence[str]) -> int:
    """Soak, print what was seen, and give the exit code."""
    parser = argparse.ArgumentParser(
        prog="benchmarks.soak --supervisor", description="does a supervisor that is killed lose or leave anything?"
    )
    parser.add_argument("--minutes", type=float, default=30.0, metavar="N")
    parser.add_argument("--clients", type=int, default=8, metavar="N")
    parser.add_argument("--kills", type=int, default=20, metavar="N")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000, metavar="N")
    options = parser.parse_args(arguments)
    print(f"soak: seed {options.seed}", flush=True)
    directory = Path(tempfile.mkdtemp(prefix="aisbx-soak-", dir=Path.home())).resolve()
    home, chance = directory / "home", random.Random(options.seed)
    home.mkdir()
    wrong: list[str] = []
    try:
        before = left(home)
        service = Service(home)
        clients: list[Client] = []
        try:
            for number in range(options.clients):
                key = service.keys.create(f"c{number}", ["run", "files"])[1]
                clients.append(Client(service.port, key, random.Random(chance.random()), LIFE))
            _soak(service, clients, options, chance)
            for client in clients:
                client.leave()
            until = time.monotonic() + _SWEPT
            while _workspaces(home) and time.monotonic() < until:
                time.sleep(1)
            if (code := service.end()) != 0:
                wrong.append(f"it ended with {code}")
        except WrongError as error:
            wrong.append(str(error))
        finally:
            service.process.kill()
        counts = sum((client.count for client in clients), Counter[str]())
        print(f"soak: {', '.join(f'{count} {what}' for what, count in counts.most_common())}")
        wrong += [line for client in clients for line in client.wrong]
        wrong += ["nothing was cut off: the kills hit nobody"] if options.kills and not counts["cut off"] else []
        if "Traceback" in (said := service.said.read_text()):
            wrong.append(f"its log has a traceback: {said[said.index('Traceback') :][:2000]}")
        wrong += _audit(service, clients)
        wrong += [f"left of the workspaces: {name}" for name in _workspaces(home)]
        wrong += _left(before, home)
    finally:
        if sys.exc_info()[0] or wrong:
            _clear(home)
        shutil.rmtree(directory, ignore_errors=True)
    for line in wrong[:20]:
        print(f"soak: {line}")
    print("soak: something is left, lost or wrong" if wrong else "soak: nothing is left, nothing is lost")
    return 1 if wrong else 0


def _workspaces(home: Path) -> list[str]:
    return [path.name for path in (home / "boxes").iterdir() if path.name[0] != "."]


def _clear(home: Path) -> None:
    """End what nobody could find without its state."""
    from aisbx.types import Principal

    sandboxes = Engine({"HOME": str(home), "PATH": os.environ["PATH"]}, "/").sandboxes
    for name in sandboxes.names():
        sandboxes.destroy(name, Principal("soak"), "soak", discard=True)


def _left(before: Left, home: Path) -> list[str]:
    until = time.monotonic() + SETTLING
    while (more := left(home).beyond(before)) and time.monotonic() < until:
        time.sleep(0.5)
    return [f"left of {kind}: {', '.join(those[:5])}" for kind, those in more.items()]
