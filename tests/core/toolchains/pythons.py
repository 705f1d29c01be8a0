"""Pythons as installers leave them, as far as discovery looks: recorded layouts, nothing that runs."""

import os
from pathlib import Path

import pytest
from aisbx.inputs import Inputs, signature
from aisbx.toolchains import Toolchain, discover
from aisbx.types import Workspace

from tests.core.world import World

NEVER = "#!/bin/sh\ntouch /tmp/aisbx-discovery-ran-this\nexit 1\n"


def install(prefix: Path, version: str = "3.12") -> Path:
    """An installed CPython: bin/python → python3 → python3.X, and the landmark of its library."""
    World.write(prefix / f"bin/python{version}", NEVER, 0o755)
    (prefix / "bin/python3").symlink_to(f"python{version}")
    (prefix / "bin/python").symlink_to("python3")
    World.write(prefix / f"lib/python{version}/os.py", "")
    for directory in (prefix, prefix / "bin", prefix / "lib", prefix / f"lib/python{version}"):
        directory.chmod(0o755)
    return prefix


def venv(path: Path, home: Path | str, interpreter: Path | str | None = None) -> Path:
    """A virtual environment as `python -m venv` makes it."""
    World.write(path / "pyvenv.cfg", f"home = {home}\ninclude-system-site-packages = false\nversion = 3.12.1\n")
    (path / "bin").mkdir(parents=True)
    (path / "bin/python").symlink_to(interpreter or f"{home}/python3")
    (path / "bin/python3").symlink_to("python")
    return path


def find(world: World, inputs: Inputs | None = None, *, workspace: bool = True) -> Toolchain:
    place = Workspace(str(world.project)) if workspace else None
    return discover(["python"], place, world.environ, inputs or world.inputs())


def sources(found: Toolchain) -> list[str]:
    assert all(mount.source == mount.target and not mount.writable for mount in found.mounts)
    return [mount.source for mount in found.mounts]


def stale(inputs: Inputs) -> bool:
    return any(signature(path, nofollow=nofollow) != found for path, found, nofollow in inputs.paths)


def forbid_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("discovery started a process")

    for name in ("fork", "vfork", "posix_spawn", "posix_spawnp", "execv", "execve", "system", "popen"):
        if hasattr(os, name):
            monkeypatch.setattr(os, name, refuse)
    monkeypatch.setattr("_posixsubprocess.fork_exec", refuse)
