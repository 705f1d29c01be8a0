"""The process that serves one command in the background: started as a file, it outlives who started it.

It reads its job from stdin, marshalled, and writes to stdout what kept the command from beginning, or None. From then
on it speaks through its directory only. If it is killed the command ends (prctl(2), PR_SET_PDEATHSIG), and the next who
looks says so. Builtin modules only: it has to be small, for there may be many.
"""

import marshal
import posix
import sys
import time

if __name__ == "__main__":  # started as a file, without site: find the package that this file is in
    sys.path.insert(0, __file__.rpartition("/")[0].rpartition("/")[0].rpartition("/")[0])

from aisbx import detached
from aisbx.audit.write import AuditError, ExportError, append_once, ending, start
from aisbx.background.door import Door
from aisbx.background.record import ENDED, FORMAT, RUNNING, STARTING, hold, write
from aisbx.background.spool import HEAD, Spool

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable, Mapping
    from typing import TypedDict

    from aisbx.background.record import CommandRecord
    from aisbx.types import AuditPlace, BackgroundJob, Failure, LaunchResult, Served, ServingModule

    class Job(TypedDict):
        """All that a supervisor needs to know."""

        sandbox: str
        """The sandbox's directory."""
        id: str
        argv: list[str]
        """As it may be recorded."""
        principal: str
        host: str
        terminal: bool
        stdin: bool
        keep: int
        """Bytes of its output that are kept from the beginning on, where that is more than usual."""
        audit: AuditPlace
        reserve: str
        static: str
        """The part of audit records that is the same for all commands of the sandbox."""
        work: BackgroundJob


if not TYPE_CHECKING:
    import _signal  # the C module: `signal` costs milliseconds for its enumerations

_HUP, _INT, _QUIT, _TERM = 1, 2, 3, 15


class Supervisor:
    """Minds one command; an `Attendant`."""

    def __init__(self, job: "Job") -> None:
        """Make the command's directory, with a record, under the sandbox's lock; OSError where that can't be."""
        self.job = job
        self.place = f"{job['sandbox']}/commands/{job['id']}"
        self._told = False
        self.record: CommandRecord = {
            "format": FORMAT,
            "id": job["id"],
            "argv": job["argv"],
            "state": STARTING,
            "started": round(time.time(), 3),
            "terminal": job["terminal"],
            "stdin": job["stdin"],
            "principal": job["principal"],
            "host": job["host"],
            "supervisor": posix.getpid(),
        }
        sandbox = _locked(job["sandbox"])
        for directory in (f"{job['sandbox']}/commands", self.place):
            try:
                posix.mkdir(directory, 0o700)
            except FileExistsError:
                continue
        self._hold = hold(self.place)
        write(self.place, self.record)
        posix.close(sandbox)  # whoever ends the sandbox now finds this command, and waits for its end
        self.door = Door(self._hold)
        self.spool = Spool(self.place, max(HEAD, job["keep"]))
        self.command: Served | None = None

    def begun(self, command: "Served") -> None:
        """Say so, and let go of who asked for it."""
        self.command = self.door.command = command
        self.record["state"] = RUNNING
        self._write()
        self.answer(None)

    def printed(self, stream: int, data: bytes) -> None:
        """Keep it, and tell who reads."""
        self.spool.append(stream, data)
        self.door.tell()

    def steps(self) -> "Mapping[int, tuple[int, Callable[[], None]]]":
        """Give what those who have connected are waited for with."""
        return self.door.steps()

    def answer(self, failure: "Failure | None") -> None:
        """Tell who asked, once, and have nothing of theirs any more."""
        if self._told:
            return
        self._told = True
        try:  # noqa: SIM105 - contextlib is one import more
            posix.write(1, marshal.dumps(failure))
        except OSError:
            pass  # nobody waits for it: the command runs all the same, as its record says
        null = posix.open("/dev/null", posix.O_RDWR | posix.O_CLOEXEC)
        for number in (0, 1, 2):
            posix.dup2(null, number)
        posix.close(null)

    def ended(self, result: "LaunchResult") -> None:
        """Record what came of it: in the audit log, then in the command's directory."""
        self.spool.close()
        refused = self.command is None
        problem = self._audit(result, refused=refused)
        if refused:
            self.remove()
            self.answer(result["failure"] or ("launch", "the command ended before it began", ""))
            return
        findings = list(result["findings"])
        if self.spool.lost:
            findings.append(f"output: {self.spool.lost} bytes could not be kept: {posix.strerror(self.spool.error)}")
        if problem:
            findings.append(problem)
        dropped = result["stdout_dropped"] + result["stderr_dropped"]
        self.record |= {  # pyright: ignore[reportAttributeAccessIssue]  (a part of one)
            "state": ENDED,
            "ended": round(time.time(), 3),
            "exit_code": result["code"],
            "signal": result["signal"] or None,
            "timed_out": result["timed_out"],
            "oom_killed": result["oom_killed"],
            "pids_limited": result["pids_limited"],
            "duration": round(result["duration"], 3),
            "usage": {key: result[key] for key in ("user_seconds", "system_seconds", "max_rss_bytes")},
            "findings": findings,
            "output": {"bytes": self.spool.size, "dropped": dropped, "lost": self.spool.lost},
        }
        failure = result["failure"]
        if failure is not None:
            self.record["error"] = {"code": failure[0], "message": failure[1], "hint": failure[2]}
        self._write()
        try:  # noqa: SIM105 - as above
            posix.unlink(f"{self.place}/socket")
        except OSError:
            pass  # it goes with the directory
        self.door.close()

    def remove(self) -> None:
        """Take away what a command that never began has."""
        self.door.close()
        for name in posix.listdir(self.place):
            posix.unlink(f"{self.place}/{name}")
        posix.rmdir(self.place)

    def _audit(self, result: "LaunchResult", *, refused: bool) -> str:
        job = self.job
        beginning = start(
            "exec.refused" if refused else "exec.end", job["id"], job["principal"], job["host"], job["argv"]
        )
        try:
            append_once(job["audit"], f"{beginning},{job['static']},{ending(result)}", job["reserve"])
        except (AuditError, OSError) as error:
            has = "a" if isinstance(error, ExportError) else "no"
            return f"this command has {has} record: {error}"
        return ""

    def _write(self) -> None:
        try:
            write(self.place, self.record)
        except OSError:
            return  # a full disk must not end the command; that its supervisor has gone is seen all the same


def _locked(sandbox: str) -> int:
    """Hold a sandbox's directory against those who end it; OSError where it has gone."""
    import fcntl

    descriptor = posix.open(sandbox, posix.O_RDONLY | posix.O_DIRECTORY | posix.O_NOFOLLOW | posix.O_CLOEXEC)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    if posix.fstat(descriptor).st_nlink == 0:
        raise OSError("the sandbox has ended")
    return descriptor


def serve(job: "Job") -> None:
    """Serve a command from its start to its end."""
    supervisor = Supervisor(job)
    work = job["work"]
    module: ServingModule = detached.module(work["root"], work["module"])

    def handle(number: int, _: object) -> None:
        if number == _TERM and supervisor.command is not None:
            supervisor.command.kill()

    for number in (_HUP, _INT, _QUIT, _TERM):
        if _signal.getsignal(number) is not _signal.SIG_IGN:  # the command has the defaults, as any
            _signal.signal(number, handle)
    supervisor.ended(module.serve(work["data"], supervisor))


if __name__ == "__main__":
    detached.main(serve, lambda reason: ("launch", reason, ""))
