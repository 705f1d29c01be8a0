"""Toolchains as version managers leave them, as far as discovery looks: recorded layouts, nothing that runs.

Written down from what the managers' own releases make: their installers need more of the Internet than registries.
"""

from pathlib import Path

from aisbx.toolchains import Toolchain, discover
from aisbx.types import Workspace

from tests.core.toolchains.pythons import NEVER
from tests.core.world import World

NODE = ("bin/node", "include/node/node.h", "lib/node_modules/npm/package.json")


def install(prefix: Path, files: tuple[str, ...], modes: int = 0o755) -> Path:
    """Make a toolchain of these files, in directories that only their owner can write."""
    for name in files:
        World.write(prefix / name, NEVER, modes)
    for path in (prefix, *prefix.rglob("*"), *prefix.parents):
        # The shared /tmp above is sticky and not ours to change.
        if path.is_dir() and path.stat().st_mode & 0o1022 in {0o002, 0o020, 0o022}:
            path.chmod(0o755)
    return prefix


def find(world: World, name: str) -> Toolchain:
    return discover([name], Workspace(str(world.project)), world.environ, world.inputs())


def mounted(found: Toolchain) -> list[str]:
    assert all(mount.source == mount.target and not mount.writable for mount in found.mounts)
    return [mount.source for mount in found.mounts]
