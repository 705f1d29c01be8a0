"""A plan that has something in every field."""

from pathlib import Path

from aisbx.types import LocalPlan


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
