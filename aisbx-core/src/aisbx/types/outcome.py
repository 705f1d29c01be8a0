"""What came of a run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, runtime_checkable

from aisbx.types.enforcement import Enforcement


@dataclass(frozen=True, slots=True)
class Usage:
    """What the command used: seconds of processor time, peak resident bytes of its largest process."""

    user_seconds: float = 0.0
    system_seconds: float = 0.0
    max_rss_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Captured:
    """Bytes that a stream gave, and how many beyond the bound were dropped."""

    data: bytes = b""
    dropped: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitStatus:
    """How a command ended. `code` follows the fixed table: its own, 128+N, 124 after a time-out."""

    code: int
    signal: int = 0
    timed_out: bool = False
    oom_killed: bool = False
    pids_limited: bool = False
    duration: float = 0.0
    usage: Usage = Usage()
    stdout: Captured = Captured()
    stderr: Captured = Captured()
    findings: tuple[str, ...] = ()
    """One line for each protected file that was planted, neutralised or restored at the end, and each lost stream."""


@dataclass(slots=True)
class Recording:
    """The record of a command, for who carries it out to write with what came of it, in the compiled library."""

    log: int
    """Where the library has the audit log: a `struct client_log` (`aisbx-linux/native/client.h`)."""
    members: bytes
    """What stands before the exit code, from behind the time on."""
    written: bool = False


class Recorder(NamedTuple):
    """How commands of a sandbox are recorded that have nothing of their own, in the compiled library."""

    log: int
    """Where it has the audit log, as of `Recording`."""
    who: str
    """JSON members: who asks, and from which host."""
    known: str
    """JSON members: what is the same of all commands of the sandbox."""
    program_only: bool
    """Whether only the first word of a command is recorded."""


class Brief(NamedTuple):
    """What came of a command that ended in the ordinary course, and is recorded."""

    run: str
    code: int
    signal: int
    duration: float
    """Seconds."""
    usage: Usage
    stdout: bytes
    stderr: bytes


class Begun(NamedTuple):
    """A command that was begun; `wait` gives how it ended, or raises why it did not run, and records nothing."""

    run: str
    wait: Callable[[], ExitStatus]


BriefRunner = Callable[[tuple[str, ...]], Brief | Begun | None]
"""Runs a command of these words; None where nothing was started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The answer to a run that was started; a run that was refused raises an `AisbxError` instead."""

    run: str
    status: ExitStatus
    profile: str
    driver: str
    enforcement: Enforcement
    captured: bool = False

    def as_record(self) -> dict[str, object]:
        """Give the outcome as the JSON object of `--json` (streams only where they were captured)."""
        status = self.status
        record: dict[str, object] = {
            "run": self.run,
            "exit_code": status.code,
            "signal": status.signal or None,
            "timed_out": status.timed_out,
            "oom_killed": status.oom_killed,
            "pids_limited": status.pids_limited,
            "output_truncated": bool(status.stdout.dropped or status.stderr.dropped),
            "duration": round(status.duration, 6),
            "usage": {
                "user_seconds": round(status.usage.user_seconds, 6),
                "system_seconds": round(status.usage.system_seconds, 6),
                "max_rss_bytes": status.usage.max_rss_bytes,
            },
            "profile": self.profile,
            "driver": self.driver,
            "findings": list(status.findings),
            "enforcement": self.enforcement.as_record(),
        }
        for name, stream in (("stdout", status.stdout), ("stderr", status.stderr)):
            if self.captured:
                record[name] = _stream_record(stream)
        return record


REQUEST_BEGIN, REQUEST_END = "request.begin", "request.end"
"""Kinds of the events that come before and after all others of a request."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, for sinks: a kind (`run.end`), seconds since the epoch, and JSON data."""

    kind: str
    time: float
    data: Mapping[str, object] = field(default_factory=dict[str, object])
    request: str = ""
    """Id of the request that it is a part of; the engine fills it in where it knows one."""
    began: float = 0.0
    """Seconds since the epoch, of what took a while; 0: it took none."""


@runtime_checkable
class Sink(Protocol):
    """Where events go."""

    def emit(self, event: Event) -> None:
        """Take an event; exceptions are logged and the run goes on."""
        ...


@runtime_checkable
class FlushableSink(Sink, Protocol):
    """A sink that keeps events for a while before they are where they go."""

    def flush(self) -> None:
        """Bring them there, in bounded time: the host is about to end."""
        ...


def _stream_record(stream: Captured) -> dict[str, object]:
    """Text where the bytes are UTF-8, base64 where they are not."""
    import base64  # only `--json` needs it

    try:
        record: dict[str, object] = {"text": stream.data.decode()}
    except UnicodeDecodeError:
        record = {"base64": base64.b64encode(stream.data).decode()}
    return record | {"truncated": bool(stream.dropped), "dropped_bytes": stream.dropped}
