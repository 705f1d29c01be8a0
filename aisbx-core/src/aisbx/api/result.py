"""What came of a command, for a program."""

from dataclasses import dataclass, replace

from aisbx.api.bounded import Cut, shown
from aisbx.errors import AisbxError
from aisbx.types import Brief, Outcome, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a command ended and what it printed; `code` is its own, 128+N for signal N, 124 after its time limit."""

    argv: tuple[str, ...]
    code: int
    stdout: bytes
    stderr: bytes
    truncated: bool
    """Whether some of its output was dropped."""
    timed_out: bool
    oom_killed: bool
    pids_limited: bool
    duration: float
    """Seconds."""
    usage: Usage
    findings: tuple[str, ...]
    """One line for each thing that it planted for the host and that was undone."""
    run: str
    """Its id in the audit log."""
    stdout_cut: Cut | None = None
    """Where something is missing in `stdout`, which was printed and not kept; None for nowhere."""
    stderr_cut: Cut | None = None

    @property
    def ok(self) -> bool:
        """Whether it ended with 0."""
        return self.code == 0

    @property
    def text(self) -> str:
        """Its output as UTF-8; what is none is replaced, and a line says how much is left out."""
        return shown(self.stdout, self.stdout_cut)

    @property
    def errors(self) -> str:
        """What it said on stderr, as UTF-8."""
        return shown(self.stderr, self.stderr_cut)

    def with_output(self, stdout: tuple[bytes, Cut | None], stderr: tuple[bytes, Cut | None]) -> "Result":
        """Give the same with other output: what was relayed comes apart from the end."""
        return replace(
            self,
            stdout=stdout[0],
            stdout_cut=stdout[1],
            stderr=stderr[0],
            stderr_cut=stderr[1],
            truncated=self.truncated or bool(stdout[1] or stderr[1]),
        )

    def check(self) -> "Result":
        """Give itself back; CommandFailed where the command did not end with 0."""
        if not self.ok:
            raise CommandFailed(self)
        return self


class CommandFailed(AisbxError):  # noqa: N818 - it is no error of ours
    """A command that was to be checked did not end with 0; `result` is what came of it."""

    code = "command-failed"

    def __init__(self, result: Result) -> None:
        """Say which, and its last word on stderr."""
        last = result.errors.strip().rpartition("\n")[2]
        why = "was ended by its time limit" if result.timed_out else f"ended with {result.code}"
        super().__init__(f"{result.argv[0]} {why}{': ' if last else ''}{last}", hint="see its result")
        self.result = result


def to_result(argv: tuple[str, ...], outcome: Outcome) -> Result:
    """Give an outcome as a program's result."""
    status = outcome.status
    out, err = status.stdout, status.stderr
    return Result(
        argv=argv,
        code=status.code,
        stdout=out.data,
        stderr=err.data,
        stdout_cut=Cut(len(out.data), out.dropped) if out.dropped else None,
        stderr_cut=Cut(len(err.data), err.dropped) if err.dropped else None,
        truncated=bool(out.dropped or err.dropped),
        timed_out=status.timed_out,
        oom_killed=status.oom_killed,
        pids_limited=status.pids_limited,
        duration=status.duration,
        usage=status.usage,
        findings=status.findings,
        run=outcome.run,
    )


def brief_result(argv: tuple[str, ...], brief: Brief) -> Result:
    """Give what came of a command that ended in the ordinary course as a program's result."""
    run, code, _, duration, usage, out, err = brief
    return Result(
        argv=argv,
        code=code,
        stdout=out,
        stderr=err,
        truncated=False,
        timed_out=False,
        oom_killed=False,
        pids_limited=False,
        duration=duration,
        usage=usage,
        findings=(),
        run=run,
    )
