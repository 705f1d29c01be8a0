"""`./dev soak`: a thousand sandboxes made, used and destroyed, and everything killed at random; then nothing is left.

python -m benchmarks.soak [--cycles N] [--kills N] [--seed N]; with --mcp see `benchmarks/mcp_soak.py`,
with --supervisor `benchmarks/rest_soak.py`

Each cycle makes a sandbox, runs a command in it and destroys it, through the engine, from one process. Then clients
of the command line, first processes, tools, forwarders, keepers, watchers and what works on layers get SIGKILL at
random moments, while the commands go on. In the end the next commands have cleared up: no process, mount, cgroup,
namespace, descriptor or file of ours is left, a second `destroy` is quiet, and the
workspace is what it was. The exit code is 1 when that is not so.
"""

import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from aisbx.engine import Engine
from aisbx.errors import StateError
from aisbx.types import Command, Principal, RunRequest, Stdio

WHO = Principal(f"uid:{os.geteuid()}")
LIFE = 1_000_000 + os.getpid()
"""Seconds to live that nobody else's sandboxes have: by it processes are known on the host."""
SLOWER = 2.0
"""Times: how much longer the last cycles may take than the first."""
_SETTLING = 20.0
_SAMPLE = 50
_GROUPS = Path("/sys/fs/cgroup")
_KEPT = ("sandboxes", "quarantine", "layers", "frozen")
_NAMESPACES = ("user", "mnt", "pid", "net", "ipc", "uts", "cgroup")


@dataclass
class Left:
    """What is there now, of all that a sandbox is made of."""

    processes: set[str] = field(default_factory=set[str])
    namespaces: set[str] = field(default_factory=set[str])
    mounts: set[str] = field(default_factory=set[str])
    cgroups: set[str] = field(default_factory=set[str])
    descriptors: set[str] = field(default_factory=set[str])
    files: set[str] = field(default_factory=set[str])

    def beyond(self, before: "Left") -> dict[str, list[str]]:
        """Give by kind what was not there before."""
        return {
            kind: sorted(more)
            for kind in ("processes", "namespaces", "mounts", "cgroups", "descriptors", "files")
            if (more := getattr(self, kind) - getattr(before, kind))
        }


class Soak:
    """A home and a workspace of their own, and what is done in them."""

    def __init__(self, directory: Path, seed: int) -> None:
        """Make home and workspace below a directory."""
        self.home = directory / "home"
        self.project = self.home / "project"
        (self.project / "src").mkdir(parents=True)
        for number in range(50):
            (self.project / "src" / f"file{number}").write_text(f"{number}\n" * number)
        self.environ = {"HOME": str(self.home), "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
        self.chance = random.Random(seed)
        self.engine = Engine(self.environ, str(self.project))

    def cycle(self, name: str) -> float:
        """Make a sandbox, use it, destroy it; gives the seconds that it took."""
        sandboxes = self.engine.sandboxes
        begun = time.perf_counter()
        sandboxes.create(RunRequest(command=(), cwd=str(self.project)), WHO, "soak", name, LIFE)
        status = sandboxes.execute(name, Command(argv=("echo", name)), WHO, Stdio(), "soak").status
        if (status.code, status.stdout.data) != (0, f"{name}\n".encode()):
            raise StateError(f"a command gave {status}")
        sandboxes.destroy(name, WHO, "soak")
        return time.perf_counter() - begun

    def client(self, *words: str) -> "subprocess.Popen[bytes]":
        """Start the command line."""
        argv = [sys.executable, "-I", "-m", "aisbx", *words]
        null = subprocess.DEVNULL
        return subprocess.Popen(argv, cwd=self.project, env=self.environ, stdin=null, stdout=null, stderr=null)

    def kills(self, count: int) -> None:
        """Kill something, `count` times, while sandboxes are made, used and destroyed."""
        for number in range(count):
            name, layered = f"kill{number % 7}", f"cow{number % 2}"
            words = self.chance.choice(
                [
                    ("create", "--name", layered, "--ttl", f"{LIFE}s", "-w", f"{self.project}:cow"),
                    ("exec", layered, "--", "sh", "-c", "head -c 9M /dev/zero > big; rm -rf src/file1; sleep 0.1"),
                    ("exec", layered, "-d", "--", "sh", "-c", "while :; do date > beat; sleep 0.02; done"),
                    ("snapshot", "create", layered),
                    ("snapshot", "restore", layered, "1"),
                    ("fork", layered, f"fork{number % 3}", "--ttl", f"{LIFE}s"),
                    ("pause", layered),
                    ("resume", layered),
                    ("destroy", "--discard", layered, f"fork{number % 3}"),
                    ("create", "--name", name, "--ttl", f"{LIFE}s"),
                    ("create", "--name", name, "--ttl", f"{LIFE}s", "--publish", str(20_000 + number)),
                    ("exec", name, "--", "sh", "-c", "sleep 30 & sleep 0.2"),
                    ("exec", name, "--", "sleep", "30"),
                    ("destroy", name),
                    ("prune",),
                ]
            )
            client = self.client(*words)
            time.sleep(self.chance.uniform(0.0, 0.6))
            whose = self.chance.choice(["client", "client", "first", "tool", "forwarder", "any", "any", "nobody"])
            if whose == "client":
                client.kill()
            elif whose == "any":
                self._kill_any()
            elif whose != "nobody":
                self._kill_one(whose)
            try:
                client.wait(2)
            except subprocess.TimeoutExpired:
                client.kill()
                client.wait()

    def _kill_one(self, whose: str) -> None:
        from aisbx_linux.lasting.identity import recall, send_to

        homes = sorted((self.engine.state / "sandboxes").glob("*/home"))
        held = recall(str(self.chance.choice(homes))) if homes else None
        born = held and {"first": held["first"], "tool": held["tool"], "forwarder": held["forwarder"]}[whose]
        if born:
            import signal

            send_to(born, signal.SIGKILL)

    def _kill_any(self) -> None:
        """Kill a process of ours that has something of the state open: a keeper, a watcher, what copies a layer."""
        mine = [entry for entry in Path("/proc").iterdir() if entry.name.isdigit() and int(entry.name) != os.getpid()]
        those = [int(entry.name) for entry in mine if _opens(entry, str(self.engine.state))]
        if those:
            with suppress(ProcessLookupError):
                os.kill(self.chance.choice(those), 9)

    def clear(self) -> list[str]:
        """Do what a person would do next; gives what went wrong with it."""
        wrong: list[str] = []
        for line in ("ls", "prune", "destroy --all --discard", "destroy kill0", "destroy --all"):
            client = subprocess.run(
                [sys.executable, "-I", "-m", "aisbx", *line.split()],
                cwd=self.project,
                env=self.environ,
                capture_output=True,
                text=True,
                check=False,
            )
            if client.returncode != 0:
                wrong.append(f"{line}: {client.returncode}: {client.stderr.strip()}")
        return wrong


def left(home: Path) -> Left:
    """Look at what is there now; processes by their time to live, or by `home` as variable, directory or open file."""
    found = Left()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            words = _read(entry / "cmdline")
            known = str(LIFE).encode() in words or str(home).encode() in words + _read(entry / "environ")
            if known or _link(f"{entry}/cwd").startswith(str(home)) or _opens(entry, str(home)):
                started = (entry / "stat").read_text().rpartition(")")[2].split()[19]
                found.processes.add(f"{entry.name} {started} {words[:60]!r}")
                found.namespaces |= {_link(f"{entry}/ns/{kind}") for kind in _NAMESPACES}
        except OSError:
            continue
    found.mounts = {line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()}
    # Those of others' runs have processes in them, or lie where none of ours can have been made.
    groups = [place for place, _, _ in os.walk(_GROUPS) if "/aisbx-" in place and _may_be_ours(place)]
    found.cgroups = {place for place in groups if not _read(Path(place, "cgroup.procs"))}
    found.descriptors = {f"{name} {_link(f'/proc/self/fd/{name}')}" for name in os.listdir("/proc/self/fd")}
    state = home / ".local/state/aisbx"
    found.files = {str(path) for folder in _KEPT for path in (state / folder).glob("*")}
    found.files |= {str(path) for path in home.glob("project/**/*")}
    return found


def _opens(process: Path, place: str) -> bool:
    """Tell whether a process has something open below a place, as far as one may look."""
    try:
        return any(_link(f"{process}/fd/{name}").startswith(f"{place}/") for name in os.listdir(process / "fd"))
    except OSError:
        return False


def _may_be_ours(group: str) -> bool:
    """Tell whether a group lies in the one that this process is in, or in one above that, of some hierarchy.

    And was not made by another process that lives: that has yet to put a process into it, or to remove it.
    """
    maker = group.partition("/aisbx-")[2].partition("-")[0]
    if maker != str(os.getpid()) and Path("/proc", maker).exists():
        return False
    above = Path(group[: group.index("/aisbx-")])
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, names, own = line.split(":", 2)
        root = _GROUPS / names.removeprefix("name=")
        if (root / own.lstrip("/")).is_relative_to(above) and above.is_relative_to(root):
            return True
    return False


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _contents(place: Path) -> Mapping[str, bytes]:
    return {str(path): path.read_bytes() for path in place.rglob("*") if path.is_file()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Soak, print what was seen, and give the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if "--mcp" in words:
        from benchmarks.mcp_soak import main as of_agents

        return of_agents([word for word in words if word != "--mcp"])
    if "--supervisor" in words:
        from benchmarks.rest_soak import main as of_rest

        return of_rest([word for word in words if word != "--supervisor"])
    parser = argparse.ArgumentParser(prog="benchmarks.soak", description="is anything lost or left behind?")
    parser.add_argument("--cycles", type=int, default=1000, metavar="N")
    parser.add_argument("--kills", type=int, default=200, metavar="N")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000, metavar="N")
    options = parser.parse_args(words)
    print(f"soak: seed {options.seed}")
    directory = Path(tempfile.mkdtemp(prefix="aisbx-soak-", dir=Path.home())).resolve()
    soak = Soak(directory, options.seed)
    try:
        soak.cycle("first")  # caches are made
        before, held = left(soak.home), _contents(soak.project)
        begun = time.monotonic()
        times = [soak.cycle(f"n{number}") for number in range(options.cycles)]
        wrong: list[str] = []
        if times:
            some = min(_SAMPLE, len(times))
            early, late = statistics.median(times[:some]), statistics.median(times[-some:])
            print(
                f"soak: {len(times)} cycles in {time.monotonic() - begun:.0f} s: {early * 1000:.1f} ms each at first,",
                end=" ",
            )
            print(f"{late * 1000:.1f} ms at last ({late / early:.2f} x, at most {SLOWER} x)")
            wrong += ["the last cycles were slower than that"] if late > SLOWER * early else []
        wrong += _differences("after the cycles", before, soak)
        begun = time.monotonic()
        soak.kills(options.kills)
        print(f"soak: {options.kills} random kills in {time.monotonic() - begun:.0f} s")
        wrong += soak.clear()
        wrong += _differences("after the kills", before, soak)
        wrong += ["the workspace is not what it was"] if _contents(soak.project) != held else []
    finally:
        if sys.exc_info()[0]:
            soak.clear()  # what failed left its sandbox, which nobody could find without its state
        shutil.rmtree(directory, ignore_errors=True)
    for line in wrong:
        print(f"soak: {line}")
    print("soak: something is left or lost" if wrong else "soak: nothing is left, nothing is lost")
    return 1 if wrong else 0


def _differences(when: str, before: Left, soak: Soak) -> list[str]:
    """Give what is left once everything that is ending has had time to."""
    until = time.monotonic() + _SETTLING
    while (more := left(soak.home).beyond(before)) and time.monotonic() < until:
        time.sleep(0.2)
    return [f"{when}, left of {kind}: {', '.join(those[:5])}" for kind, those in more.items()]


if __name__ == "__main__":
    sys.exit(main())
