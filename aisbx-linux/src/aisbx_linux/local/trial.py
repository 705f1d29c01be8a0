"""Try an empty sandbox with a tool, nested as deep as a launch nests it; what keeps every tool from working."""

import os
import stat
from contextlib import suppress
from pathlib import Path

from aisbx.types import Probe

from aisbx_linux import cradle
from aisbx_linux.processes import leave
from aisbx_linux.remedy import MOUNT_PROC, OTHERS_PROC, others_proc

ARGUMENTS = ("--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--", "/bin/true")
_SPOKEN = 1000
PRIVILEGED = (*("--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-net"), *ARGUMENTS[1:])
"""The same without a user namespace, for root; who the command is comes before them."""
PLAIN = ("--chroot", "/", "--", "/bin/true")
"""The same without any namespace."""
UNMAPPED = "belongs to nobody that is known here"
_NOBODY = 65534
"""The kernel's overflow uid: owners that a user namespace does not map (user_namespaces(7))."""
OUTSIDE_ID = 2_000_000_000
"""The uid and gid on the host of sandboxes that root runs: above what adduser and systemd give away."""


def trial(
    path: str,
    other: int | None,
    words: tuple[str, ...] = (),
    files: tuple[bytes, ...] = (),
    arguments: tuple[str, ...] = ARGUMENTS,
) -> str:
    """Give the first line of what the tool at `path` complains of, or nothing if an empty sandbox works.

    `words` and `files` are those of its `Tool`. It runs as the uid and gid `other` where that is given. As in a launch
    it is inside namespaces of the launcher's, where they can be made: a kernel that allows few namespaces must be found
    out now and not then.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            with suppress(OSError):  # `cradle.possible` tells of that
                cradle.contain(pids=True, mounts=True)
            os.write(
                writer, _complaint(path, other, words, files, arguments).encode(errors="replace")[:_SPOKEN] or b"\0"
            )
        finally:
            leave(0)
    os.close(writer)
    with open(reader, "rb") as stream:
        told = stream.read()
    os.waitpid(child, 0)
    # Silence is no success: the child may have been ended.
    return "" if told == b"\0" else told.decode(errors="replace") or "it could not be tried"


def _complaint(
    path: str, other: int | None, words: tuple[str, ...], files: tuple[bytes, ...], arguments: tuple[str, ...]
) -> str:
    import subprocess  # 8 ms, and what worked once is not tried again

    passed = [_memory(content) for content in files]
    own = [str(passed[int(word[6:-1]) - 1]) if word.startswith("{file:") else word for word in words]
    try:
        answer = subprocess.run(
            [path, *own, *arguments],
            pass_fds=passed,
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
            env={},
            cwd="/",
            user=other,
            group=other,
            extra_groups=None if other is None else [],
        )
    except (OSError, subprocess.SubprocessError) as error:
        return str(error) or type(error).__name__
    if answer.returncode == 0:
        return ""
    return (
        (answer.stderr.strip().splitlines() or ["no reason given"])[0].removeprefix("bwrap: ").removeprefix("confine: ")
    )


def _memory(content: bytes) -> int:
    descriptor = os.memfd_create("content")
    with open(descriptor, "wb", closefd=False) as file:
        file.write(content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def ground() -> Probe | None:
    """Say what keeps every tool from working here, whichever it is; None where nothing is known to."""
    if not os.path.exists("/proc/self/ns/user"):
        reason, mend = "/proc is not mounted here, or shows no processes", MOUNT_PROC
        return Probe(usable=False, reason=reason, remedy=mend)
    if others_proc():
        return Probe(usable=False, reason=OTHERS_PROC, remedy=MOUNT_PROC)
    if os.geteuid() == 0 and not mapped(OUTSIDE_ID):
        reason = f"root here is not the machine's: it cannot become uid {OUTSIDE_ID}, which its user namespace lacks"
        return Probe(usable=False, reason=reason, remedy="run it as an ordinary user of this container")
    return None


def mapped(uid: int) -> bool:
    """Tell whether our user namespace has this uid (user_namespaces(7), uid_map)."""
    ranges = [[int(word) for word in line.split()] for line in Path("/proc/self/uid_map").read_text().splitlines()]
    return any(first <= uid < first + count for first, _, count in ranges)


def reachable(path: str) -> bool:
    """Tell whether everybody may execute the file, every directory on the way included."""
    return all(parent.stat().st_mode & 0o001 for parent in (Path(path), *Path(path).parents))


def unfit(path: str) -> str:
    """Say why a program won't do as a tool, or nothing."""
    try:
        status = Path(path).stat()
    except OSError as error:
        return f"cannot be used: {error.strerror}"
    if status.st_mode & stat.S_ISUID:
        return "is set-uid root: one is needed that uses user namespaces"
    if status.st_uid == _NOBODY != os.geteuid() and not mapped(0):
        return f"{UNMAPPED}: this is inside a container or sandbox that does not map root"
    if status.st_uid not in {0, os.geteuid()} or status.st_mode & 0o022:
        return "can be changed by other users"
    if not os.access(path, os.X_OK):
        return "cannot be executed"
    return ""
