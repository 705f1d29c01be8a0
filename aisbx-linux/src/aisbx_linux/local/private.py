"""The sandbox's own file systems: how large each is, and how many files it holds. Pure.

bubblewrap gives a tmpfs a size and no number of files. Empty ones take the kernel's memory all the same, so the
launcher makes these mounts itself, beside the sources that it lays out, and the tool binds them.
"""

from dataclasses import dataclass

from aisbx.types import LAYERED, SandboxSpec

from aisbx_linux.sources import private_place

BLOCK = 4096
"""Bytes of size for each file: a file with anything in it takes a page, so what has contents meets the size first."""
LEAST_FILES = 10_000
"""What each place may have at least: about 10 MB of the kernel's memory (mm/shmem.c, BOGO_INODE_SIZE)."""


@dataclass(frozen=True, slots=True)
class Space:
    """One private file system; `size` in bytes, 0 for the kernel's own bounds (tmpfs(5): half of the machine)."""

    target: str
    mode: str
    size: int

    @property
    def options(self) -> str:
        """What mount(2) is told (tmpfs(5)); the number of files counts links, and space for extended attributes."""
        if not self.size:
            return f"mode={self.mode}"
        return f"mode={self.mode},size={self.size},nr_inodes={max(LEAST_FILES, self.size // BLOCK)}"

    @property
    def words(self) -> list[str]:
        """The tool's options where it makes the mount itself, without a number of files."""
        return ["--perms", self.mode, *(["--size", str(self.size)] if self.size else []), "--tmpfs", self.target]


def spaces(spec: SandboxSpec) -> list[Space]:
    """Give the places in the order in which they are mounted."""
    # A tmpfs takes up to half of the machine's memory by default (tmpfs(5)); here the memory limit is the machine.
    disk, memory = (int(limit.amount) if (limit := spec.limits.get(name)) else 0 for name in ("disk", "memory"))
    disk -= layer(spec)
    return [
        Space(target, mode, max(BLOCK, disk * eighths // 8 if disk else memory // 2) if disk or memory else 0)
        for target, mode, eighths in (("/tmp", "1777", 4), (spec.identity.home, "0700", 3), ("/dev/shm", "1777", 1))
    ]


def layer(spec: SandboxSpec) -> int:
    """Give the size of the layer over the workspace in bytes: half of the disk where that must be held; 0 for any."""
    if spec.workspace is None or spec.workspace.mode not in LAYERED or "limit:disk" not in spec.required_controls():
        return 0
    return int(spec.limits["disk"].amount) // 2


def counted(spec: SandboxSpec, *, contained: bool, own_uid: bool) -> bool:
    """Tell whether the launcher makes these mounts: it needs a mount namespace (`contained`).

    Where an ordinary user, or root without an uid of the run's own, gave up `fs:host-hidden`, it makes no mounts.
    """
    return contained and (own_uid or "fs:host-hidden" not in spec.lowered)


def words(made: list[Space], *, laid_out: bool) -> list[str]:
    """Give the tool's options: bound from where the launcher has `laid_out` what `made` says, or made by the tool."""
    given: list[str] = []
    for index, space in enumerate(made):
        given += ["--bind", private_place(index), space.target] if laid_out else space.words
    return given
