"""The process that ends a sandbox when its time is over, and records it: started as a file, it outlives who started it.

It reads its job from stdin, marshalled, and writes to stdout what kept it from beginning, or None. While it lives it
holds flock(2) on `keeper` in the sandbox's directory, so that there is one and whoever looks knows. What came of the
sandbox it leaves in `ended.json`. Builtin modules only: it has to be small, for there may be many.
"""

import posix
import sys
import time

if __name__ == "__main__":  # started as a file, without site: find the package that this file is in
    sys.path.insert(0, __file__.rpartition("/")[0].rpartition("/")[0])

from aisbx import detached
from aisbx.audit.jsontext import dumps
from aisbx.audit.write import AuditError, ExportError, append_once, start

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypedDict

    from aisbx.types import AuditPlace, KeepingJob, KeepingModule

    class Job(TypedDict):
        """All that a keeper needs to know."""

        sandbox: str
        """The sandbox's directory."""
        name: str
        principal: str
        audit: AuditPlace
        reserve: str
        work: KeepingJob


LOCK, ENDED = "keeper", "ended.json"
IDLE = "idle-ttl"
"""What a module's `keep` gives where nobody has used the sandbox for its time, and nobody can any more."""
HOST = "keeper"
"""What the audit log says of whoever ended the sandbox."""
_NEW = posix.O_WRONLY | posix.O_CREAT | posix.O_TRUNC | posix.O_NOFOLLOW | posix.O_CLOEXEC


def kept(place: str) -> bool:
    """Tell whether the sandbox in a directory has its keeper."""
    return detached.held(f"{place}/{LOCK}")


def _alone_with(place: str, *, wait: bool) -> bool | None:
    """Hold a sandbox's directory against those who end it; False where it has gone, None where others have it."""
    import fcntl

    descriptor = posix.open(place, posix.O_RDONLY | posix.O_DIRECTORY | posix.O_NOFOLLOW | posix.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        posix.close(descriptor)
        return None
    return posix.fstat(descriptor).st_nlink > 0


def _over(module: "KeepingModule", job: "Job") -> str:
    """Wait for a sandbox's end and hold it; gives why it ends, nothing where it has gone."""
    while True:
        reason = module.keep(job["work"]["data"])
        try:
            # Who holds the directory may be about to use the sandbox, and where it is idle nobody can meanwhile.
            alone = _alone_with(job["sandbox"], wait=reason != IDLE)
        except FileNotFoundError:
            return ""
        if alone is not None:
            return reason if alone else ""


def keep(job: "Job") -> None:
    """Keep a sandbox until its end."""
    place, work = job["sandbox"], job["work"]
    if detached.hold(f"{place}/{LOCK}") < 0:
        detached.begun()
        return
    module: KeepingModule = detached.module(work["root"], work["module"])
    module.prepare(work["data"])
    detached.begun()
    reason = _over(module, job)
    if reason:
        _end(module, job, reason, [])


def finish(job: "Job", reason: str, told: "list[str]") -> bool:
    """End a sandbox now, and record it with what is `told` of it; False where it has ended already.

    OSError where its directory is not there any more, or what it ends by.
    """
    work = job["work"]
    module: KeepingModule = detached.module(work["root"], work["module"])
    import fcntl

    descriptor = posix.open(job["sandbox"], posix.O_RDONLY | posix.O_DIRECTORY | posix.O_NOFOLLOW | posix.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return posix.fstat(descriptor).st_nlink > 0 and _end(module, job, reason, told)
    finally:
        posix.close(descriptor)


def _end(module: "KeepingModule", job: "Job", reason: str, told: "list[str]") -> bool:
    place = job["sandbox"]
    try:
        findings = module.end(job["work"]["data"])
        if findings is None:
            return False
    except OSError as error:
        findings = [str(error)]
    findings = [*told, *findings]
    from aisbx.whose import Whose

    whose = Whose(place, job["principal"]).now()
    beginning = start("sandbox.end", job["name"], whose, HOST, [])
    try:
        append_once(job["audit"], f'{beginning},"reason":"{reason}","findings":{dumps(findings)}}}', job["reserve"])
    except (OSError, AuditError) as error:
        has = "a" if isinstance(error, ExportError) else "no"
        findings = [*findings, f"this end has {has} record: {error}"]
    row = {"time": round(time.time(), 3), "reason": reason, "findings": findings}
    descriptor = posix.open(f"{place}/{ENDED}", _NEW, 0o600)
    try:
        posix.write(descriptor, dumps(row).encode() + b"\n")
    finally:
        posix.close(descriptor)
    return True


if __name__ == "__main__":
    detached.main(keep, str)
