"""The least of the levels, chroot(2), for root that is given no namespaces: what of a spec it holds, and its plan."""

import os
import resource
import stat
from dataclasses import replace

from aisbx.errors import DriverUnavailableError
from aisbx.types import CONTROLS, ControlState, Enforcement, Level, LocalPlan, NetworkMode, SandboxSpec

from aisbx_linux.cgroup.find import Places
from aisbx_linux.launch import FORMAT
from aisbx_linux.local import enforce
from aisbx_linux.local.argv import rlimits
from aisbx_linux.local.trial import OUTSIDE_ID
from aisbx_linux.mounts import mount_points
from aisbx_linux.rlimits import OWN_TASKS
from aisbx_linux.roots.making import MANIFEST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aisbx_linux.local.driver import Tool

WHY = "this machine gives root no namespaces, and chroot(2) is all there is"
REMEDY = "let root make mount and PID namespaces: a container needs CAP_SYS_ADMIN for them"
_ROOT = "aisbx init --rootfs DIR, as root, and then --rootfs DIR"
_HELD = {
    "fs:host-hidden": "chroot(2), another uid, no descriptor of a directory",
    "ipc:isolated": "seccomp filter: no SysV IPC, no message queues",
    "net:deny": "seccomp filter: no sockets",
    "net:host-sockets": "seccomp filter: no sockets",
    "priv:no-caps": "another uid than root, empty bounding set",
    "priv:no-new-privs": "no_new_privs",
    "priv:not-root": "an uid of the run's own",
    "limit:pids": "RLIMIT_NPROC of an uid of the run's own",
}
_LACKING = {
    "fs:workspace": "nothing can be mounted",
    "fs:private-tmp": "its /tmp is the root directory's, which stays and which all runs share",
    "fs:home-empty": "it has no home",
    "info:host": "the host's name and kernel are shown",
    "net:allowlist": "there is no network to hold one for",
    "secret:proxied": "there is no network, and so no proxy to put it in",
    "limit:disk": "what may be written lies on the host's disk",
}
_PARTLY = {
    "proc:isolated": ("another uid, no /proc", "whether a process of the host's has a number can be told"),
    "proc:no-survivors": ("a process of root's that ends all of the uid", "that process can itself be ended, by root"),
}


def enforcement(spec: SandboxSpec, facts: enforce.Facts) -> Enforcement:
    """Report on every control."""
    states = {state.control: state for state in enforce.enforcement(spec, replace(facts, cgroups=Places())).states}
    for name, mechanism in _HELD.items():
        states[name] = ControlState(name, Level.FULL, mechanism)
    for name, why in _LACKING.items():
        states[name] = ControlState(name, Level.NONE, reason=f"{why}: {WHY}", remedy=REMEDY)
    for name, (mechanism, why) in _PARTLY.items():
        states[name] = ControlState(name, Level.PARTIAL, mechanism, f"{why}: {WHY}", REMEDY)
    if spec.network.mode is not NetworkMode.NONE:
        for name in ("net:deny", "net:host-sockets"):
            states[name] = ControlState(name, Level.NONE, reason="the network is not to be closed", remedy=REMEDY)
    states["fs:readonly-runtime"] = _runtime(spec)
    states["fs:protected"] = ControlState("fs:protected", Level.FULL, "the workspace is not there")
    return Enforcement.of(states[name] for name in CONTROLS if name in states)


def _runtime(spec: SandboxSpec) -> ControlState:
    name = "fs:readonly-runtime"
    if why := unfit(spec):
        return ControlState(name, Level.NONE, reason=why, remedy=_ROOT)
    return ControlState(name, Level.FULL, "files of root's that only root may write")


def unfit(spec: SandboxSpec) -> str:
    """Say why the root directory of a spec will not do here; "" where it does."""
    if not spec.rootfs:
        return f"there is no root directory: {WHY}"
    found = os.lstat(f"{spec.rootfs}/{MANIFEST}") if os.path.lexists(f"{spec.rootfs}/{MANIFEST}") else None
    if found is None or not stat.S_ISREG(found.st_mode) or found.st_uid != 0 or os.lstat(spec.rootfs).st_uid != 0:
        return f"{spec.rootfs} was not made by root's aisbx init, so others may be able to write in it"
    if inner := next((place for place in mount_points() if place.startswith(f"{spec.rootfs}/")), ""):
        return f"another file system is mounted in {spec.rootfs}, at {inner}"
    return ""


def plan(spec: SandboxSpec, tool: "Tool", filter_: bytes, driver: str) -> LocalPlan:
    """Give the whole launch as data. DriverUnavailableError where no root directory is there to go into."""
    if why := unfit(spec):
        raise DriverUnavailableError(f"{driver}: {why}", hint=_ROOT)
    if spec.network.mode is not NetworkMode.NONE or spec.publish:
        raise DriverUnavailableError(f"{driver}: there is no network for a sandbox here: {WHY}", hint=REMEDY)
    without = replace(spec, workspace=None)
    return {
        "format": FORMAT,
        "launcher": "aisbx_linux.launch",
        "program": tool.path,
        "words": list(tool.words),
        "head": ["--chroot", spec.rootfs, "--become", f"{OUTSIDE_ID}:{OUTSIDE_ID}", "--die-with-parent", "--clearenv"],
        "sources": [],
        "tail": [],
        "files": [b"", *tool.files],
        "environment": {**spec.environment, "HOME": "/"},
        "inputs": [spec.rootfs, f"{spec.rootfs}/{MANIFEST}"],
        "filter": filter_,
        "rlimits": [_own(*row) for row in rlimits(without, Places())],
        "cgroup": None,
        "watch": (memory, 0, []) if (memory := int(_amount(spec, "memory"))) else None,
        "publish": [],
        "outside": None,
        "contained": False,
        "composed": False,
        "private": [],
        "workspace": None,
        "cwd": "/",
        "wall_time": _amount(spec, "wall_time"),
        "output": int(_amount(spec, "output")),
    }


def _own(kind: int, soft: int, hard: int) -> tuple[int, int, int]:
    """Take back what a launch adds to a limit on tasks for a first process that counts: here none has the uid."""
    less = OWN_TASKS if kind == resource.RLIMIT_NPROC else 0
    return kind, soft - less, hard - less


def _amount(spec: SandboxSpec, name: str) -> float:
    limit = spec.limits.get(name)
    return limit.amount if limit else 0.0
