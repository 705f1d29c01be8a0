"""The runtime of the inside: the host's own, or that of a root directory. Looks at the host's files."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from aisbx.types import Mount, SandboxSpec

# Top-level directories of the runtime: links into /usr on a merged system, directories of their own elsewhere.
TOP = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
ORIGIN = "the root directory"
_OWN = frozenset(
    ("boot", "dev", "etc", "home", "lost+found", "media", "mnt", "proc", "root", "run", "sys", "tmp", "var")
)
"""What of a root directory is not shown: the sandbox has its own of these, or nothing runs from there."""


def words(spec: SandboxSpec) -> list[str]:
    """Give the tool's options for what needs no descriptor: the host's runtime, or the links of a root directory."""
    if spec.rootfs:
        return [word for path, target in _links(spec.rootfs) for word in ("--symlink", target, path)]
    found = ["--ro-bind", "/usr", "/usr"]
    for path in TOP:
        if Path(path).is_symlink():
            found += ["--symlink", str(Path(path).readlink()), path]
        elif Path(path).is_dir():
            found += ["--ro-bind", path, path]
    return found


def mounts(spec: SandboxSpec, taken: Iterable[str]) -> Iterator[Mount]:
    """Give the mounts of a root directory, each by a descriptor of its own, so that no link of it is followed.

    One in which something else is put (`taken` has the targets) is left out, but for those that programs need.
    """
    if not spec.rootfs:
        return
    others = list(taken)
    for name in _names(spec.rootfs):
        target = f"/{name}"
        if not os.path.isdir(spec.rootfs + target) or os.path.islink(spec.rootfs + target):
            continue
        needed = target == "/usr" or target in TOP
        if needed or not any(other == target or other.startswith(f"{target}/") for other in others):
            yield Mount(spec.rootfs + target, target, origin=ORIGIN)


def inputs(spec: SandboxSpec) -> list[str]:
    """Give the paths that `words` and `mounts` depend on."""
    return [spec.rootfs] if spec.rootfs else list(TOP)


def _links(root: str) -> Iterator[tuple[str, str]]:
    for name in _names(root):
        if os.path.islink(f"{root}/{name}"):
            yield f"/{name}", os.readlink(f"{root}/{name}")


def _names(root: str) -> list[str]:
    return sorted(name for name in os.listdir(root) if name not in _OWN and not name.startswith("."))
