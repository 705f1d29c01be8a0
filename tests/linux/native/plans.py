"""A plan that has something in every field."""

import posix
from pathlib import Path
from typing import Any, cast

from aisbx.inputs import signature
from aisbx.plan import native, recall
from aisbx.plan.keep import store, write
from aisbx.types import Carried, Joining, LocalPlan, PlanEntry

from .conftest import Ask


def local_plan(place: Path) -> LocalPlan:
    status = place.stat()
    return {
        "format": 6,
        "launcher": "aisbx_linux.launch",
        "sources": [
            {"path": "/usr", "target": "/usr", "writable": False, "within": -1, "identity": None, "owned": False},
            {
                "path": str(place),
                "target": "/w\udcff",
                "writable": True,
                "within": 0,
                "identity": (status.st_dev, status.st_ino),
                "owned": True,
            },
        ],
        "cgroup": (
            Path("/proc/self/cgroup").read_bytes(),
            [(str(place), [("pids.max", "7"), ("memory.max", "9")], [("pids.events", "max", "pids_limited")], False)],
        ),
        "program": "/usr/bin/bwrap",
        "words": [],
        "head": ["--unshare-all", ""],
        "tail": ["--file", "{file:0}"],
        "files": [b"", bytes(range(256))],
        "environment": {"A": "b=c", "E": ""},
        "inputs": [],
        "filter": b"\0\1\2" * 100,
        "rlimits": [(7, 1024, -1)],
        "watch": (1 << 40, 0, ["/tmp"]),
        "outside": (1000, 1 << 31, 1 << 31),
        "contained": True,
        "composed": True,
        "private": ["size=1m", "mode=700"],
        "publish": [80, 443],
        "workspace": (str(place), "rw"),
        "cwd": str(place),
        "wall_time": 1.5,
        "output": 1 << 33,
    }


NAME = "native-" + "0" * 32
ENVIRON = {"AISBX_ONE": "1", "AISBX_TWO": "ü", "AISBY": "no", "HOME": "/nowhere"}


class Kept:
    """An entry in both forms, in a directory of ours."""

    def __init__(self, place: Path, ask: Ask) -> None:
        self.ask = ask
        self.directory = place / "plans"
        self.directory.mkdir(mode=0o700)
        self.work = place / "work"
        self.work.mkdir()
        self.input = place / "input"
        self.input.write_text("x")
        self.link = place / "link"
        self.link.symlink_to("input")
        self.absent = place / "absent"
        environ = {name.encode(): value.encode() for name, value in ENVIRON.items()}
        variables, prefixes = ["HOME", "XDG"], ["AISBX_"]
        noted = [(str(self.input), False), (str(self.link), True), (str(self.absent), True)]
        self.entry: PlanEntry = {
            "format": recall.FORMAT,
            "name": "0" * 32,
            "paths": [(path, signature(path, nofollow=nofollow), nofollow) for path, nofollow in noted],
            "variables": variables,
            "prefixes": prefixes,
            "environment": recall.environment_digest(environ, variables, prefixes),
            "roots": [],
            "code": [],
            "plan": local_plan(self.work),
            "kind": "run",
            "record": '"profile":"base"',
            "program_only": False,
            "audit": {"path": "/a", "key": "/k", "limit": 1 << 20, "keep": 3, "export": ""},
            "state": "/state",
            "keep_output": 5,
            "keep_runs": 6,
        }
        self.carried: Carried = {"plan": local_plan(self.work), "scans": "/state/scans/x", "joining": None}
        self.write()

    def join(self) -> Joining:
        """Have it join a sandbox that lasts, from now on."""
        held = self.directory.with_name("held")
        held.write_bytes(b"who it is")
        held.chmod(0o600)
        status = held.stat()
        joining: Joining = {
            "home": str(held.parent),
            "held": (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size),
            "boot": "b-o-o-t",
            "first": (7, 1 << 40),
            "who": (1000, 100),
            "watched": True,
            "groups": [("/cgroup/a", [("pids.events", "max", "pids_limited"), ("m", "k", "n")]), ("/cgroup/b", [])],
        }
        self.carried["joining"] = joining
        self.write()
        return joining

    def write(self) -> None:
        """Keep it as it is now."""
        self.carried["plan"] = cast("LocalPlan", self.entry["plan"])
        environ = {name.encode(): value.encode() for name, value in ENVIRON.items()}
        written = write(str(self.directory), self.entry)
        assert written is not None
        store(str(self.directory), NAME, native.encode(self.entry, written, NAME, self.carried, environ))

    def native(self, environ: dict[str, str] = ENVIRON, workspace: str = "") -> str:
        """What the front makes of it."""
        return self.ask("plan", self.directory, NAME, workspace, environ=environ)

    def python(self, environ: dict[str, str] = ENVIRON, workspace: str = "") -> PlanEntry | None:
        """What Python makes of the entry."""
        before = dict(posix.environ)
        posix.environ.clear()
        posix.environ.update({name.encode(): value.encode() for name, value in environ.items()})
        try:
            return recall.read(str(self.directory), "0" * 32, workspace)
        finally:
            posix.environ.clear()
            posix.environ.update(before)


def flat(entry: PlanEntry) -> list[Any]:
    """Give what `pieces plan` says of an entry."""
    plan = cast("LocalPlan", entry["plan"])
    audit, cgroup = entry["audit"], plan["cgroup"] or (b"", [])
    said: list[Any] = [entry["name"], entry["kind"], entry["record"], audit["path"], audit["key"], audit["export"]]
    said += [entry["state"], plan["launcher"], plan["program"], entry["program_only"], audit["limit"], audit["keep"]]
    said += [entry["keep_output"], entry["keep_runs"], len(plan["sources"]), True, len(cgroup[1])]
    for source in plan["sources"]:
        said += [source["path"], source["target"], source["within"], source["identity"] is not None]
        said += [source["writable"], source["owned"], *(source["identity"] or (0, 0))]
    for parent, limits, events, inherited in cgroup[1]:
        said += [parent, inherited, *(word for row in (*limits, *events) for word in row)]
    said += [plan["head"], plan["tail"], *(data.hex() for data in plan["files"])]
    said += [[f"{name}={value}" for name, value in plan["environment"].items()], plan["filter"].hex()]
    said += [number % (1 << 64) for row in plan["rlimits"] for number in row]
    memory, tasks, places = plan["watch"] or (0, 0, [])
    said += [plan["watch"] is not None, memory, tasks, plan["outside"] is not None, *(plan["outside"] or (0, 0, 0))]
    said += [plan["contained"], plan["composed"], round(plan["wall_time"] * 1e6), plan["output"], len(plan["publish"])]
    return [*said, places, plan["private"], *(plan["workspace"] or ()), "/state/scans/x", plan["cwd"]]
