"""A launch as plain data, what it needs and what comes of it, and their equals among the types of the contract."""

from collections.abc import Mapping
from typing import TypedDict

from aisbx.errors import (
    AbortedError,
    AisbxError,
    CommandNotExecutableError,
    CommandNotFoundError,
    LaunchError,
    StateError,
)
from aisbx.types.outcome import Captured, ExitStatus, Usage
from aisbx.types.request import Command, Stdio

Failure = tuple[str, str, str]
"""(code, message, hint or empty); the code is that of a class in `_FAILURES`.

With `aborted`, and with `state` where its record is lost, the command has begun; with the others nothing has run.
"""


class LaunchRequest(TypedDict):
    """One command for a plan, and where its streams go; see `Command` and `Stdio` for the meaning."""

    argv: list[str]
    environment: dict[str, str]
    cwd: str
    """Empty: the plan's."""
    stdin: int | bytes | None
    stdout: int | None
    stderr: int | None
    terminal: bool
    capture: int
    exclusive: bool
    """The calling process is ours alone: its signals are forwarded, and it may fork and reap."""
    state: str
    """A private directory (0700) for scan caches, quarantine and output logs; empty: keep nothing."""
    run: str
    keep_output: int
    """Bytes of output to keep in `state/runs/RUN.log`; 0 for none."""


class LaunchResult(TypedDict):
    """What came of it; the fields are those of `ExitStatus`, and `failure` where something went wrong."""

    code: int
    signal: int
    timed_out: bool
    oom_killed: bool
    pids_limited: bool
    duration: float
    user_seconds: float
    system_seconds: float
    max_rss_bytes: int
    stdout: bytes
    stderr: bytes
    stdout_bytes: int
    stderr_bytes: int
    stdout_dropped: int
    stderr_dropped: int
    findings: list[str]
    failure: Failure | None


_FAILURES: Mapping[str, type[AisbxError]] = {
    each.code: each for each in (LaunchError, AbortedError, StateError, CommandNotFoundError, CommandNotExecutableError)
}


def launch_request(
    command: Command, stdio: Stdio, *, exclusive: bool, state: str, run: str, keep: int
) -> LaunchRequest:
    """Give a command and its streams as the launcher's plain data."""
    return {
        "argv": list(command.argv),
        "environment": dict(command.environment),
        "cwd": command.cwd or "",
        "stdin": stdio.stdin,
        "stdout": stdio.stdout,
        "stderr": stdio.stderr,
        "terminal": stdio.terminal,
        "capture": stdio.capture,
        "exclusive": exclusive,
        "state": state,
        "run": run,
        "keep_output": keep,
    }


def exit_status(result: LaunchResult) -> ExitStatus:
    """Give a result as an exit status, or raise what went wrong, with what was found at the end."""
    if result["failure"] is not None:
        error = failed(result["failure"])
        error.findings = tuple(result["findings"])
        raise error
    return ExitStatus(
        code=result["code"],
        signal=result["signal"],
        timed_out=result["timed_out"],
        oom_killed=result["oom_killed"],
        pids_limited=result["pids_limited"],
        duration=result["duration"],
        usage=usage(result),
        stdout=Captured(result["stdout"], result["stdout_dropped"]),
        stderr=Captured(result["stderr"], result["stderr_dropped"]),
        findings=tuple(result["findings"]),
    )


def given(status: ExitStatus | None) -> ExitStatus:
    """Give the exit status of a command that was waited for to its end; StateError where the driver gave none."""
    if status is None:
        raise StateError("the driver gave no exit status", hint="report it to the driver's author")
    return status


def launch_result(status: ExitStatus) -> LaunchResult:
    """Give an exit status as the launcher's plain data."""
    return {
        "code": status.code,
        "signal": status.signal,
        "timed_out": status.timed_out,
        "oom_killed": status.oom_killed,
        "pids_limited": status.pids_limited,
        "duration": status.duration,
        "user_seconds": status.usage.user_seconds,
        "system_seconds": status.usage.system_seconds,
        "max_rss_bytes": status.usage.max_rss_bytes,
        "stdout": status.stdout.data,
        "stderr": status.stderr.data,
        "stdout_bytes": len(status.stdout.data) + status.stdout.dropped,
        "stderr_bytes": len(status.stderr.data) + status.stderr.dropped,
        "stdout_dropped": status.stdout.dropped,
        "stderr_dropped": status.stderr.dropped,
        "findings": list(status.findings),
        "failure": None,
    }


def failed(failure: Failure) -> AisbxError:
    """Give what kept a command from running as an error to be raised."""
    code, message, hint = failure
    return _FAILURES[code](message, hint=hint)


def usage(result: LaunchResult) -> Usage:
    """Give what a result says was used."""
    return Usage(result["user_seconds"], result["system_seconds"], result["max_rss_bytes"])
