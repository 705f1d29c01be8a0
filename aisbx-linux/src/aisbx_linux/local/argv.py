"""Turn a `SandboxSpec` into what a tool with bubblewrap's options wants. Pure but for looking at the host's files."""

import resource
from pathlib import Path

from aisbx.types import PROXY_PORT, SYNTHETIC, LocalPlan, Mount, NetworkMode, SandboxSpec, Source, WorkspaceMode

from aisbx_linux.cgroup.find import Places, rows
from aisbx_linux.launch import FORMAT
from aisbx_linux.local import etc, private, runtime

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aisbx_linux.local.driver import Tool

_COVERS = {
    "/proc/kallsyms": "/dev/null",
    # No namespace keeps keyrings apart: the names of all keys that the user holds, and how many others hold.
    "/proc/keys": "/dev/null",
    "/proc/key-users": "/dev/null",
    # Another id at each reading: none that could be compared, and no file of ours to be shown.
    "/proc/sys/kernel/random/boot_id": "/proc/sys/kernel/random/uuid",
}
"""What of the kernel's own would tell hosts or their users apart, or where its code lies → what is read there instead.

A device that is mounted without being one, as bubblewrap does it, cannot be opened at all.
"""


def plan(
    spec: SandboxSpec,
    tool: "Tool",
    filter_: bytes,
    outside: tuple[int, int, int] | None,
    etc_directory: str,
    places: Places,
    *,
    contained: bool,
    become: tuple[int, int] | None = None,
) -> LocalPlan:
    """Give the whole launch as data.

    `outside` is (uid on disk, gid on disk, uid and gid on the host) for root; `etc_directory` holds what is
    shown as /etc; `places` is where cgroups can be made; `contained`: the launcher can have namespaces of its own.
    `become`: (uid, gid) of the command where root makes it without a user namespace.
    """
    spaces = private.spaces(spec)
    counted = private.counted(spec, contained=contained, own_uid=outside is not None)
    own = private.words(spaces, laid_out=counted)
    groups = rows(places, {name: _amount(spec, name) for name in places.by_limit})
    mounts = [Mount(etc_directory, "/etc", origin="driver"), *spec.mounts]
    if spec.workspace is not None:
        path = spec.workspace.path
        mounts.append(Mount(path, path, writable=spec.workspace.mode is not WorkspaceMode.RO, origin="workspace"))
    mounts += runtime.mounts(spec, [spec.identity.home, *(mount.target for mount in mounts)])
    mounts.sort(key=lambda mount: mount.target.count("/"))
    made: LocalPlan = {
        "format": FORMAT,
        "launcher": "aisbx_linux.launch",
        "program": tool.path,
        "words": list(tool.words),
        "head": [*_namespaces(spec, become), *runtime.words(spec), *_private(spec, own), *_links(spec)],
        "sources": [_source(mount, _within(mount, mounts)) for mount in mounts],
        "tail": ["--remount-ro", "/dev", "--remount-ro", "/"],
        "files": [etc.gitconfig(spec), *tool.files],
        "environment": dict(spec.environment),
        "inputs": [*runtime.inputs(spec), *etc.inputs(spec)],
        "filter": filter_,
        "rlimits": [row for row in rlimits(spec, places) if become is None or row[0] != resource.RLIMIT_NPROC],
        "cgroup": (places.own, groups) if groups else None,
        "watch": _watch(spec, places),
        "publish": [] if spec.network.mode is NetworkMode.OPEN else list(spec.publish),
        "outside": outside,
        "contained": "proc:no-survivors" not in spec.lowered,
        "composed": outside is not None or "fs:host-hidden" not in spec.lowered,
        "private": [_owned(space.options, become) for space in spaces] if counted else [],
        "workspace": (spec.workspace.path, spec.workspace.mode.value) if spec.workspace else None,
        "cwd": spec.cwd,
        "wall_time": _amount(spec, "wall_time"),
        "output": int(_amount(spec, "output")),
    }
    if (proxy := spec.network.proxy) is not None and spec.network.mode is NetworkMode.ALLOWLIST:
        made["egress"] = {
            "words": list(proxy.words),
            "job": proxy.job,
            "principal": proxy.principal,
            "port": PROXY_PORT,
            "block": SYNTHETIC,
        }
    return made


def rlimits(spec: SandboxSpec, places: Places) -> list[tuple[int, int, int]]:
    """Give (resource, soft, hard) for each limit that setrlimit(2) can hold and a cgroup does not hold better.

    A cgroup counts what is used, and RLIMIT_DATA what is set aside: a thousand idle threads have 8 GB of stacks. And of
    two bounds on tasks, only the cgroup's tells afterwards that it was met.
    """
    wanted = [
        # 1, not 0: a core_pattern that is a pipe ignores 0 and takes the core, 1 stops it (core(5), fs/coredump.c).
        (resource.RLIMIT_CORE, max(1, int(_amount(spec, "core")))),
        (resource.RLIMIT_NPROC, 0 if "pids" in places.by_limit else int(_amount(spec, "pids"))),
        (resource.RLIMIT_NOFILE, int(_amount(spec, "open_files"))),
        (resource.RLIMIT_DATA, 0 if "memory" in places.by_limit else int(_amount(spec, "memory"))),
    ]
    return [(kind, amount, amount) for kind, amount in wanted if amount]


def _watch(spec: SandboxSpec, places: Places) -> tuple[int, int, list[str]] | None:
    """Give what the launcher itself is to look after: the bounds on a sum that no cgroup holds or reports."""
    memory, pids = (0 if name in places.by_limit else int(_amount(spec, name)) for name in ("memory", "pids"))
    return (memory, pids, ["/tmp", "/dev/shm", spec.identity.home]) if memory or pids else None


def _owned(options: str, become: tuple[int, int] | None) -> str:
    return options if become is None else f"{options},uid={become[0]},gid={become[1]}"


def _namespaces(spec: SandboxSpec, become: tuple[int, int] | None) -> list[str]:
    words = ["--unshare-user"] if become is None else []
    words += ["--unshare-ipc", "--unshare-pid", "--unshare-uts"]
    if Path("/proc/self/ns/cgroup").exists():
        words.append("--unshare-cgroup")
    if spec.network.mode is not NetworkMode.OPEN:
        words.append("--unshare-net")
    who = spec.identity
    if become is None:
        words += ["--uid", str(who.uid), "--gid", str(who.gid)]
    else:
        words += ["--become", f"{become[0]}:{become[1]}"]
    words += ["--hostname", "sandbox"]
    return [*words, "--die-with-parent", "--clearenv"]


def _private(spec: SandboxSpec, own: list[str]) -> list[str]:
    home = spec.identity.home
    words = ["--proc", "/proc", "--dev", "/dev"]
    for place, shown in _COVERS.items():
        words += ["--ro-bind", shown, place] if Path(place).exists() else []
    words += [*own, "--perms", "0644", "--file", "{file:0}", f"{home}/.gitconfig"]
    words += ["--dir", "/run", "--dir", "/var", "--symlink", "/run", "/var/run"]
    targets = [home, *(mount.target for mount in spec.mounts), *([spec.workspace.path] if spec.workspace else [])]
    if not any(target.startswith("/var/tmp/") for target in targets):
        words += ["--symlink", "/tmp", "/var/tmp"]
    return words


def _links(spec: SandboxSpec) -> list[str]:
    words: list[str] = []
    for path, target in spec.links.items():
        words += ["--symlink", target, path]
    return words


def _within(mount: Mount, mounts: list[Mount]) -> int:
    """Give the index of the nearest mount that holds this one's target, -1 for none."""
    outer = [other for other in mounts if other is not mount and mount.target.startswith(f"{other.target}/")]
    return mounts.index(max(outer, key=lambda other: len(other.target))) if outer else -1


def _source(mount: Mount, within: int) -> Source:
    status = Path(mount.source).stat()
    # Only what the driver itself shows of the system keeps its owners; what somebody named becomes the inside's own.
    return {
        "path": mount.source,
        "target": mount.target,
        "writable": mount.writable,
        "within": within,
        "identity": (status.st_dev, status.st_ino),
        "owned": True,
    }


def _amount(spec: SandboxSpec, name: str) -> float:
    limit = spec.limits.get(name)
    return limit.amount if limit else 0.0
