"""Programs of npm that speak MCP, at the versions that are known to work here."""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

CONFORMANCE = "@modelcontextprotocol/conformance"
INSPECTOR = "@modelcontextprotocol/inspector"
VERSIONS = {CONFORMANCE: "0.2.0-alpha.12", INSPECTOR: "2.12.0"}
NODE = ("node-linux-{machine}", "22.23.5")
_NEEDED = (22, 19)
_MACHINES = {"x86_64": "x64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Programs:
    """What is installed below a directory, and the node that runs it."""

    place: Path

    @property
    def modules(self) -> Path:
        return self.place / "node_modules"

    def argv(self, package: str) -> list[str]:
        node = next(iter(self.modules.glob("node-linux-*/bin/node")), None) or _own_node()
        place = self.modules / package
        binary = json.loads((place / "package.json").read_text())["bin"]
        return [str(node), str(place / (binary if isinstance(binary, str) else next(iter(binary.values()))))]

    def run(self, argv: list[str], home: Path) -> "subprocess.CompletedProcess[str]":
        """Run one of them in a home of its own."""
        env = {"HOME": str(home), "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
        return subprocess.run(argv, capture_output=True, text=True, timeout=120, cwd=home, env=env, check=False)


def installed() -> Programs:
    """Install them beside this environment, once for all runs, with a node of their own where the machine's is too old.

    The registry is whatever npm's settings say. Where it cannot be reached nothing can be tested: a failure where it
    should be there (AISBX_REQUIRE has `npm`), else a skip.
    """
    wanted = {**VERSIONS}
    if _own_node() is None:
        wanted[NODE[0].format(machine=_MACHINES[os.uname().machine])] = NODE[1]
    cache = Path(sys.prefix) / "cache"
    cache.mkdir(exist_ok=True)
    place = cache / f"npm-{hashlib.sha256(json.dumps(wanted).encode()).hexdigest()[:12]}"
    with (cache / f"{place.name}.lock").open("w") as lock:  # workers run at once
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            _install(wanted, cache / f"{place.name}.new")
            (cache / f"{place.name}.new").rename(place)
    return Programs(place)


def _install(wanted: Mapping[str, str], place: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        _lacking("npm is not on this machine")
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    flags = [
        "--no-audit",
        "--no-fund",
        "--no-package-lock",
        "--ignore-scripts",
        "--loglevel=error",
        "--fetch-retries=1",
    ]
    named = [f"{name}@{which}" for name, which in wanted.items()]
    argv = [npm, "install", "--prefix", str(place), *flags, *named]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=240, check=False)
    if done.returncode != 0:
        _lacking(f"npm cannot install {' '.join(named)}: {done.stderr.strip()[-500:]}")


def _own_node() -> str | None:
    node = shutil.which("node")
    if node is None:
        return None
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    version = tuple(int(part) for part in said.strip().lstrip("v").split(".")[:2] if part.isdigit())
    return node if version >= _NEEDED else None


def _lacking(why: str) -> NoReturn:
    if "npm" in os.environ.get("AISBX_REQUIRE", "").split(","):
        pytest.fail(f"{why}\nsee tests/mcp_host/nodes.py; the registry is that of `npm config get registry`")
    pytest.skip(why)
