"""Where control groups may be made here, by controller: cgroup v1 hierarchies, or a cgroup v2 subtree of the caller's.

Looked at when a plan is made, by trying: what can't be made is not promised. cgroups(7), and the kernel's
Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst, which name every file here.
"""

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from aisbx.types import CgroupRow

from aisbx_linux.cgroup.amounts import FILES, MAIN
from aisbx_linux.cgroup.group import PREFIX, sweep
from aisbx_linux.mounts import plain
from aisbx_linux.processes import put

CONTROLLERS: Mapping[str, str] = {"memory": "memory", "pids": "pids", "cpus": "cpu"}
"""Limit → the controller that holds it."""
_SCOPE = "run aisbx in a cgroup of yours: systemd-run --user --scope -p Delegate=yes -- aisbx …, or as root"
_MANAGER = "a manager of yours makes cgroups: loginctl enable-linger, and then " + _SCOPE
_ADMINISTRATOR = "run aisbx as root, or in a cgroup that its administrator has given to you"


@dataclass(frozen=True, slots=True)
class Place:
    """A directory to make groups in, and the control files that a group there has."""

    parent: str
    version: int
    files: frozenset[str]


@dataclass(frozen=True, slots=True)
class Places:
    """What was found. `own` is /proc/self/cgroup as it was then: in another group, other places count."""

    own: bytes = b""
    by_limit: Mapping[str, Place] = field(default_factory=dict[str, Place])
    reasons: Mapping[str, str] = field(default_factory=dict[str, str])
    """Limit → why there is no place for it."""
    remedy: str = _ADMINISTRATOR
    """What gives a place for the rest of them; systemd's user manager only where there is one that has controllers."""

    def mechanism(self, limit: str) -> str:
        """Say by what a limit is held; empty where there is no place for it."""
        place = self.by_limit.get(limit)
        return f"cgroup v{place.version}, {CONTROLLERS[limit]} controller" if place else ""


def find(proc: str = "/proc/self", run: str = "/run") -> Places:
    """Look for places, and try each; `proc` is the process whose group counts, in `run` systemd shows that it runs."""
    try:
        own = Path(proc, "cgroup").read_bytes()
        mounts = _mounts(Path(proc, "mountinfo").read_text(errors="surrogateescape"))
    except OSError as error:
        return Places(reasons=dict.fromkeys(CONTROLLERS, f"cgroups cannot be seen: {error.strerror}"))
    groups = _groups(own.decode(errors="surrogateescape"))
    by_limit: dict[str, Place] = {}
    reasons: dict[str, str] = {}
    for limit, controller in CONTROLLERS.items():
        version = 1 if controller in groups else 2
        key = controller if version == 1 else ""
        directory = _directory(groups.get(key), mounts.get(key))
        if directory is None:
            reasons[limit] = f"no cgroup hierarchy with the {controller} controller is mounted"
            continue
        parent, reason = (directory, "") if version == 1 else _delegated(directory, controller)
        place = reason or _tried(parent, version)
        if isinstance(place, str):
            reasons[limit] = place
        elif MAIN[limit][version - 1] in place.files:
            by_limit[limit] = place
        else:
            reasons[limit] = f"cgroups in {parent} have no {MAIN[limit][version - 1]}"
    return Places(own, by_limit, reasons, _remedy(groups, reasons, run))


def _remedy(groups: Mapping[str, str], reasons: Mapping[str, str], run: str) -> str:
    """Tell what would help here: a controller that a version 1 hierarchy has taken, no user manager can share out."""
    shared = "" in groups and any(CONTROLLERS[limit] not in groups for limit in reasons)
    if not (shared and os.path.isdir(f"{run}/systemd/system")):  # sd_booted(3)
        return _ADMINISTRATOR
    return _SCOPE if os.path.exists(f"{run}/user/{os.geteuid()}/systemd/private") else _MANAGER


def rows(places: Places, amounts: Mapping[str, float]) -> list[CgroupRow]:
    """Give what to make for these limits (bytes, tasks, cores): one row for each directory; none for what has none.

    Processor time has a group without a limit too: the sandbox has one share then, however many sessions are made in
    it. Elsewhere each session has a share of its own (sched(7), autogroups), and many leave the host next to none.
    """
    found: dict[str, CgroupRow] = {}
    for limit, amount in amounts.items():
        place = places.by_limit.get(limit)
        if place is None or not (amount or limit == "cpus"):
            continue
        _, limits, events, _ = found.setdefault(place.parent, (place.parent, [], [], place.version == 1))
        if not amount:
            continue
        files, watched = FILES[place.version][limit](amount)
        limits += [(file, value) for file, value in files if file in place.files]
        events += [(file, key, name) for file, key, name in watched if file in place.files]
    return list(found.values())


def _mounts(mountinfo: str) -> dict[str, tuple[str, str]]:
    """Give (root, mount point) by controller, "" for cgroup v2; proc_pid_mountinfo(5)."""
    found: dict[str, tuple[str, str]] = {}
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        kind, _, rest = after.partition(" ")
        if kind in {"cgroup", "cgroup2"}:
            options = rest.rpartition(" ")[2]
            root, point = (plain(word) for word in before.split()[3:5])
            for name in options.split(",") if kind == "cgroup" else [""]:
                found.setdefault(name, (root, point))
    return found


def _groups(own: str) -> dict[str, str]:
    """Give the group by controller, "" for cgroup v2; cgroups(7), /proc/PID/cgroup."""
    found: dict[str, str] = {}
    for line in own.splitlines():
        _, controllers, path = line.split(":", 2)
        for name in controllers.split(","):
            found[name] = path
    return found


def _directory(group: str | None, mount: tuple[str, str] | None) -> str | None:
    """Give the group's directory; None where the mount does not show it."""
    if group is None or mount is None:
        return None
    root, point = (text.rstrip("/") for text in mount)
    if f"{group}/".startswith(f"{root}/") and ".." not in group.split("/"):
        return (point + group[len(root) :]).rstrip("/")
    return None


def _delegated(own: str, controller: str) -> tuple[str, str]:
    """Give the nearest directory above a v2 group whose groups have a controller and may be filled from there.

    Not the group itself: it holds this process, so that it can't share anything out (cgroup-v2.rst, "No Internal
    Process Constraint"). Or give the reason why there is none.
    """
    place = own
    if os.path.exists(f"{own}/cgroup.type"):  # only the root has none, and it alone may have processes as well
        place = os.path.dirname(own)
    nothing = "this process is in a cgroup that is not its user's to share out"
    while os.path.exists(f"{place}/cgroup.procs"):
        if not (os.access(place, os.W_OK | os.X_OK) and os.access(f"{place}/cgroup.procs", os.W_OK)):
            return "", nothing
        if controller in _words(f"{place}/cgroup.subtree_control") or _enabled(place, controller):
            return place, ""
        nothing = f"the {controller} controller is not delegated to this process's cgroup"
        place = os.path.dirname(place)
    return "", nothing


def _enabled(place: str, controller: str) -> bool:
    """Share a controller out below a group that was delegated and where that changes nobody else's."""
    if controller not in _words(f"{place}/cgroup.controllers") or os.stat(place).st_uid != os.geteuid():
        return False
    with contextlib.suppress(OSError):  # EBUSY: it has processes of its own
        put(f"{place}/cgroup.subtree_control", f"+{controller}")
        return True
    return False


def _tried(parent: str, version: int) -> "Place | str":
    """Make a group and remove it; the place with the files that it had, or why not."""
    trial = f"{parent}/{PREFIX}{os.getpid()}-trial-{os.urandom(4).hex()}"
    try:
        os.mkdir(trial)
        try:
            files = frozenset(os.listdir(trial))
            if version == 1 and not os.access(f"{parent}/tasks", os.W_OK):
                return f"{parent} is not this user's to come back to"
        finally:
            os.rmdir(trial)
        folder = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            sweep([folder])
        finally:
            os.close(folder)
    except OSError as error:
        return f"no cgroup can be made in {parent}: {error.strerror}"
    return Place(parent, version, files)


def _words(path: str) -> list[str]:
    try:
        return Path(path).read_text().split()
    except OSError:
        return []
