"""Try an empty sandbox with a bubblewrap, nested as deep as a launch nests it, and say what to do where it fails."""

import os
from contextlib import suppress

from aisbx_linux import cradle
from aisbx_linux.processes import leave
from aisbx_linux.remedy import remedy as known

ARGUMENTS = ("--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--", "/bin/true")
_BY_HAND = "run the command that failed by hand: bwrap --unshare-all --ro-bind / / --proc /proc true"
_SPOKEN = 1000


def trial(path: str, other: int | None) -> str:
    """Give the first line of what the tool at `path` complains of, or nothing if an empty sandbox works.

    It runs as the uid and gid `other` where that is given. As in a launch it is inside namespaces of the launcher's,
    where they can be made: a kernel that allows few namespaces must be found out now and not then.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            with suppress(OSError):  # `cradle.possible` tells of that
                cradle.contain(pids=True, mounts=True)
            os.write(writer, _complaint(path, other).encode(errors="replace")[:_SPOKEN] or b"\0")
        finally:
            leave(0)
    os.close(writer)
    with open(reader, "rb") as stream:
        told = stream.read()
    os.waitpid(child, 0)
    # Silence is no success: the child may have been ended.
    return "" if told == b"\0" else told.decode(errors="replace") or "it could not be tried"


def remedy(refusal: str) -> str:
    """Say what to do about a trial that failed."""
    return known(refusal) or _BY_HAND


def _complaint(path: str, other: int | None) -> str:
    import subprocess  # 8 ms, and what worked once is not tried again

    try:
        answer = subprocess.run(
            [path, *ARGUMENTS],
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
    return (answer.stderr.strip().splitlines() or ["no reason given"])[0].removeprefix("bwrap: ")
