"""Attacks on rights: `priv:no-caps`, `priv:no-new-privs`, `priv:not-root`."""

import os
import shutil
from collections.abc import Mapping

from aisbx.testing.attack import Attack
from aisbx.testing.premises import first_of, needs_root, status, unfiltered
from aisbx.testing.scene import Scene, place
from aisbx.types import ExitStatus

_NOBODY = 65534


def _set_uid_program(scene: Scene) -> Mapping[str, object]:
    """As root, a program of another user in the workspace; as a user, root's own set-uid programs."""
    if os.geteuid():
        return {"programs": _SET_UID}
    path = os.path.join(scene.workspace, "set-uid")
    shutil.copy(shutil.which("sleep") or "/bin/sleep", path)
    os.chown(path, _NOBODY, _NOBODY)
    os.chmod(path, 0o4755)
    return {"programs": [path]}


_SET_UID = ["/usr/bin/su", "/usr/bin/passwd", "/usr/bin/mount", "/bin/su", "/bin/mount"]


def _no_set_uid_program() -> str:
    if status("NoNewPrivs") != "0":
        return "this process itself has no_new_privs"
    if os.geteuid() and not any(os.path.exists(path) and os.stat(path).st_mode & 0o4000 for path in _SET_UID):
        return "this host has none of the usual set-uid programs"
    if not os.geteuid() and os.statvfs(place()).f_flag & os.ST_NOSUID:
        return f"{place()} is mounted nosuid"
    return ""


def _no_new_privs_here() -> str:
    return "" if status("NoNewPrivs") == "0" else "this process itself has no_new_privs"


def _no_bounding_set() -> str:
    return "" if int(status("CapBnd") or "0", 16) else "this process can have no capabilities either"


def _as_host_root(scene: Scene) -> Mapping[str, object]:
    """Look on the host, while the program sleeps, for processes of this attack that are uid 0 there."""

    def look() -> str:
        for pid in scene.processes():
            # Ours carry the token as well; the program's own says where it is by what it runs.
            if "0" in status("Uid", pid).split() and status("Name", pid).startswith("python"):
                return f"the host sees the program with uid {status('Uid', pid)}"
        return ""

    scene.watch(look)
    return {}


def _noticed(scene: Scene, _status: ExitStatus) -> str:
    return scene.seen[0] if scene.seen else ""


ATTACKS = (
    Attack(
        id="priv:no-caps/sets",
        sentence="have a capability in any set, or a way to gain one",
        unprovable=_no_bounding_set,
        program="""
            with open("/proc/self/status") as file:
                for line in file:
                    if line.startswith("Cap") and int(line.split()[1], 16):
                        breach(line)
        """,
    ),
    Attack(
        id="priv:no-caps/use",
        sentence="use a capability: change the root, the clock's offset, the owner of a file, the host name",
        unprovable=first_of(needs_root, unfiltered),
        program="""
            put("mine")
            for what, attempt in (
                ("chroot", lambda: os.chroot("/")),
                ("chown", lambda: os.chown("mine", 12345, 12345)),
                ("sethostname", lambda: socket.sethostname(socket.gethostname())),
                ("setuid", lambda: os.setresuid(12345, -1, -1)),
            ):
                if tries(attempt):
                    breach(what)
        """,
    ),
    Attack(
        id="priv:no-new-privs/bit",
        sentence="run without no_new_privs",
        unprovable=_no_new_privs_here,
        program="""
            with open("/proc/self/status") as file:
                if "NoNewPrivs:\\t0" in file.read():
                    breach("NoNewPrivs is 0")
        """,
    ),
    Attack(
        id="priv:no-new-privs/set-uid",
        sentence="become somebody else through a set-uid program",
        stage=_set_uid_program,
        unprovable=_no_set_uid_program,
        program="""
            for path in facts["programs"]:
                reader, writer = os.pipe()
                child = os.fork()
                if child == 0:
                    os.dup2(reader, 0)
                    os.close(writer)
                    for stream in (1, 2):
                        os.dup2(os.open("/dev/null", os.O_WRONLY), stream)
                    tries(os.execv, path, [path, "1"])
                    os._exit(1)
                os.close(reader)
                for _ in range(30):
                    try:
                        with open("/proc/%d/status" % child) as file:
                            ids = [line for line in file if line.startswith("Uid:")][0].split()[1:]
                    except (OSError, IndexError):
                        break
                    if len(set(ids)) > 1:
                        breach(path + " ran with the ids " + " ".join(ids))
                    time.sleep(0.01)
                os.close(writer)
                tries(os.kill, child, signal.SIGKILL)
                os.waitpid(child, 0)
        """,
    ),
    Attack(
        id="priv:not-root/host-uid",
        sentence="be uid 0 in the eyes of the host",
        stage=_as_host_root,
        evidence=_noticed,
        unprovable=needs_root,
        program="""
            time.sleep(0.6)
        """,
    ),
    Attack(
        id="priv:not-root/kernel-settings",
        sentence="open settings of the kernel for writing, as only the host's uid 0 may",
        unprovable=needs_root,
        program="""
            for path in (
                "/proc/sys/kernel/core_pattern",
                "/proc/sys/kernel/modprobe",
                "/proc/sys/vm/drop_caches",
                "/proc/sysrq-trigger",
                "/sys/kernel/uevent_helper",
                "/sys/kernel/mm/transparent_hugepage/enabled",
            ):
                if tries(lambda: os.close(os.open(path, os.O_WRONLY))):
                    breach(path + " can be written")
        """,
    ),
)
