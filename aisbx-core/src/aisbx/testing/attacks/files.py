"""Attacks on what of the host's files can be seen: `fs:host-hidden`, `fs:private-tmp`, `fs:home-empty`."""

import os
import stat
import tempfile
from collections.abc import Mapping

from aisbx.testing.attack import Attack
from aisbx.testing.handles import handle_of
from aisbx.testing.premises import needs_root
from aisbx.testing.scene import Scene, place
from aisbx.types import ExitStatus


def _secrets(scene: Scene) -> Mapping[str, object]:
    """Leave a key in the home, a file beside it, and two links in the workspace that lead to them."""
    key = scene.file("home", ".ssh", "id_ed25519")
    secret = scene.file("elsewhere", "secret")
    os.symlink(secret, os.path.join(scene.workspace, "to-file"))
    os.symlink(scene.elsewhere, os.path.join(scene.workspace, "to-directory"))
    return {"secrets": [key, secret]}


def _held_open(scene: Scene) -> Mapping[str, object]:
    """Start a process of the host that holds a secret open."""
    descriptor = os.open(scene.file("elsewhere", "secret"), os.O_RDONLY)
    scene.victim(descriptor)
    os.close(descriptor)
    return {}


def _handle(scene: Scene) -> Mapping[str, object]:
    kind, handle = handle_of(scene.file("elsewhere", "secret"))
    return {"kind": kind, "handle": handle.hex()}


def _disk(scene: Scene) -> Mapping[str, object]:
    return {"device": os.stat(scene.root).st_dev}


def _no_disk() -> str:
    """Root may still be kept from device nodes, by a device cgroup or a security module."""
    if needs_root():
        return needs_root()
    device = os.stat(place()).st_dev
    if os.major(device) == 0:
        return f"{place()} is on no block device"
    with tempfile.TemporaryDirectory(prefix="aisbx-kit-", dir=place()) as directory:
        try:
            node = os.path.join(directory, "disk")
            os.mknod(node, stat.S_IFBLK | 0o600, device)
            os.close(os.open(node, os.O_RDONLY))
        except OSError as error:
            return f"no device node can be made and opened here: {error.strerror}"
    return ""


_PLAIN_DEVICES = {"null", "zero", "full", "random", "urandom", "tty", "ptmx", "console", "stdin", "stdout", "stderr"}


def _host_devices() -> list[str]:
    """Name the host's device nodes but those that every program may have."""
    found = [entry for entry in os.scandir("/dev") if entry.name not in _PLAIN_DEVICES]
    return sorted(entry.path for entry in found if _is_device(entry.stat(follow_symlinks=False).st_mode))


def _is_device(mode: int) -> bool:
    return stat.S_ISCHR(mode) or stat.S_ISBLK(mode)


def _devices(_scene: Scene) -> Mapping[str, object]:
    return {"devices": _host_devices()}


def _only_plain_devices() -> str:
    return "" if _host_devices() else "this host has only the plain devices"


def _in_shared_places(scene: Scene) -> Mapping[str, object]:
    """Leave a file of the host in each place that all its users share."""
    paths = [f"{place}/{scene.token}-host" for place in ("/tmp", "/dev/shm") if os.access(place, os.W_OK)]
    for path in paths:
        with open(path, "w") as file:
            file.write(scene.token)
        scene.defer(os.unlink, path)
    return {"paths": paths}


def _appeared(scene: Scene, _status: ExitStatus) -> str:
    """Look for what the sandbox wrote in shared places, and take it away."""
    found = [f"{place}/{scene.token}-inside" for place in ("/tmp", "/dev/shm")]
    found = [path for path in found if os.path.exists(path)]
    for path in found:
        os.unlink(path)
    return f"on the host: {', '.join(found)}" if found else ""


def _dotfile(scene: Scene, _status: ExitStatus) -> str:
    texts = [scene.read(os.path.join(scene.home, name)) for name in (".profile", ".bashrc")]
    return "a file of the host's home was written" if any(scene.token in text for text in texts) else ""


def _profile(scene: Scene) -> Mapping[str, object]:
    scene.file("home", ".profile", text="# of the host", mode=0o666)
    os.chmod(scene.home, 0o777)
    return {}


ATTACKS = (
    Attack(
        id="fs:host-hidden/secret",
        sentence="read a key in the home and a file beside it, by path and through links in the workspace",
        stage=_secrets,
        program="""
            for path in facts["secrets"] + ["to-file", "to-directory/secret"]:
                reads(path)
        """,
    ),
    Attack(
        id="fs:host-hidden/parents",
        sentence="list the directories above the workspace",
        stage=_secrets,
        program="""
            for above, name in ((facts["home"], ".ssh"), (facts["root"], "elsewhere")):
                if tries(os.listdir, above) and name in os.listdir(above):
                    breach(name + " is seen in " + above)
        """,
    ),
    Attack(
        id="fs:host-hidden/proc-root",
        sentence="reach the host's root through /proc/*/root and /proc/*/cwd",
        stage=_secrets,
        program="""
            for process in ["self", "thread-self", *pids()]:
                for secret in facts["secrets"]:
                    reads("/proc/" + process + "/root" + secret)
                    reads("/proc/" + process + "/cwd" + "/.." * 20 + secret)
        """,
    ),
    Attack(
        id="fs:host-hidden/proc-fd",
        sentence="open again what processes of the host hold open, through /proc/*/fd",
        stage=_held_open,
        program="""
            for process in pids():
                if tries(os.listdir, "/proc/" + process + "/fd"):
                    for descriptor in os.listdir("/proc/" + process + "/fd"):
                        reads("/proc/" + process + "/fd/" + descriptor)
        """,
    ),
    Attack(
        id="fs:host-hidden/handle",
        sentence="open a file outside by its handle, as containers were left in 2014",
        stage=_handle,
        unprovable=needs_root,
        program="""
            raw = bytes.fromhex(facts["handle"])
            handle = struct.pack("=Ii", len(raw), facts["kind"]) + raw
            below = os.open(facts["workspace"], os.O_RDONLY)
            opened = checked(libc.open_by_handle_at(below, handle, os.O_RDONLY), "open_by_handle_at")
            reads("/proc/self/fd/%d" % opened)
        """,
    ),
    Attack(
        id="fs:host-hidden/disk",
        sentence="make a device node for the disk under the workspace and read it",
        stage=_disk,
        unprovable=_no_disk,
        program="""
            for place in (facts["workspace"], "/tmp", "/dev"):
                node = place + "/" + token + "-disk"
                if tries(os.mknod, node, stat.S_IFBLK | 0o600, facts["device"]):
                    try:
                        os.close(os.open(node, os.O_RDONLY))
                    finally:
                        os.unlink(node)
                    breach("the disk can be read")
        """,
    ),
    Attack(
        id="fs:private-tmp/read",
        sentence="read what others left in /tmp and /dev/shm",
        stage=_in_shared_places,
        program="""
            for path in facts["paths"]:
                reads(path)
        """,
    ),
    Attack(
        id="fs:private-tmp/write",
        sentence="leave something in /tmp and /dev/shm that is there after the run",
        evidence=_appeared,
        program="""
            for place in ("/tmp", "/dev/shm"):
                tries(put, place + "/" + token + "-inside")
        """,
    ),
    Attack(
        id="fs:private-tmp/devices",
        sentence="find devices of the host in /dev",
        stage=_devices,
        unprovable=_only_plain_devices,
        program="""
            for path in facts["devices"]:
                if os.path.lexists(path):
                    breach(path + " exists")
        """,
    ),
    Attack(
        id="fs:home-empty/list",
        sentence="find in the home anything but a gitconfig and the way to the workspace",
        stage=_secrets,
        program="""
            home = facts["home"]
            found = set(os.listdir(home)) - {".gitconfig", ".config", os.path.basename(facts["workspace"])}
            if os.path.isdir(home + "/.config"):
                found |= set(os.listdir(home + "/.config")) - {"git"}
            if found:
                breach("in the home: " + ", ".join(sorted(found)))
        """,
    ),
    Attack(
        id="fs:home-empty/write",
        sentence="write a file in the home that the user's shell reads",
        stage=_profile,
        evidence=_dotfile,
        program="""
            tries(put, facts["home"] + "/.profile")
            tries(os.rename, facts["home"] + "/.profile", facts["home"] + "/.bashrc")
        """,
    ),
)
