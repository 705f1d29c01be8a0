"""What bodies of requests may say. Every text and list is bounded, and what is not known is refused."""

import base64
import binascii
import signal
from typing import Annotated, Literal

from aisbx.errors import UsageError
from aisbx.types import Command
from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,49}$", description="a-z, 0-9, '-', '_' and '.'.")]
Word = Annotated[str, Field(max_length=128 << 10, pattern=r"^[^\x00]*$")]
"""execve(2) takes no longer one: MAX_ARG_STRLEN."""
Path = Annotated[str, Field(min_length=1, max_length=4096, pattern=r"^[^\x00]+$")]
Variable = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^=\x00]+$")]
Value = Annotated[str, Field(max_length=128 << 10, pattern=r"^[^\x00]*$")]
Seconds = Annotated[float, Field(gt=0, le=31 * 24 * 3600, allow_inf_nan=False)]
Bytes = Annotated[int, Field(gt=0, le=1 << 50)]
_PROFILE = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}(\+[A-Za-z0-9][A-Za-z0-9._-]{0,63}){0,7}$"


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Create(_Body):
    """A sandbox to be made. Where it works, by what driver, and with what network at most, the server says."""

    name: Name | None = None
    profile: Annotated[str, Field(pattern=_PROFILE)] | None = None
    mode: Literal["ro", "cow"] | None = Field(
        None, description="Of its workspace: a narrower one than the server gives."
    )
    ttl: Annotated[float, Field(ge=1, le=366 * 24 * 3600)] | None = Field(None, description="Seconds.")
    idle_ttl: Annotated[float, Field(ge=1, le=366 * 24 * 3600)] | None = Field(None, description="Seconds without use.")
    env: dict[Variable, Value] = Field(default={}, max_length=256)
    network: Literal["none"] | None = Field(None, description="`none` gives up what the server would give.")
    timeout: Seconds | None = Field(None, description="Of each command.")
    memory: Bytes | None = None
    disk: Bytes | None = None
    output: Bytes | None = Field(None, description="Of each command.")
    pids: Annotated[int, Field(gt=0, le=1 << 22)] | None = None
    cpus: Annotated[float, Field(gt=0, le=4096)] | None = None

    def limits(self) -> dict[str, float]:
        """Give them by the names of `aisbx.types.LIMITS`."""
        rows = {
            "wall_time": self.timeout,
            "memory": self.memory,
            "disk": self.disk,
            "output": self.output,
            "pids": self.pids,
            "cpus": self.cpus,
        }
        return {name: float(amount) for name, amount in rows.items() if amount is not None}


class Run(_Body):
    """A command."""

    argv: Annotated[
        list[Word],
        Field(min_length=1, max_length=4096, json_schema_extra={"prefixItems": [{"type": "string", "minLength": 1}]}),
    ]
    env: dict[Variable, Value] = Field(default={}, max_length=256)
    cwd: Annotated[str, Field(max_length=4096, pattern=r"^/[^\x00]*$")] | None = None
    timeout: Seconds | None = None
    output: Bytes | None = None
    memory: Bytes | None = Field(None, description="Of the command and all that came of it, within its sandbox's.")
    pids: Annotated[int, Field(gt=0, le=1 << 22)] | None = None

    def command(self) -> Command:
        """Give it for the engine; UsageError where it is none."""
        if not self.argv[0]:
            raise UsageError("the first word of argv is empty", hint="name a command")
        limits = {"wall_time": self.timeout, "output": self.output, "memory": self.memory, "pids": self.pids}
        return Command(
            argv=tuple(self.argv),
            environment=self.env,
            cwd=self.cwd,
            limits={name: float(amount) for name, amount in limits.items() if amount is not None},
        )


class Exec(Run):
    """A command that is waited for."""

    stdin: Annotated[str, Field(max_length=8 << 20)] | None = None
    stdin_base64: Annotated[str, Field(max_length=8 << 20)] | None = None
    capture: Annotated[int, Field(ge=0, le=64 << 20)] = Field(
        4 << 20, description="Bytes of each stream in the answer; a stream of events, and a process, give all."
    )

    def given(self) -> bytes | None:
        """Give its input; UsageError where that is no base64."""
        if self.stdin is not None and self.stdin_base64 is not None:
            raise UsageError("stdin and stdin_base64 are two inputs", hint="leave one out")
        if self.stdin_base64 is not None:
            return decoded(self.stdin_base64)
        return self.stdin.encode() if self.stdin is not None else None


class Start(Run):
    """A command in the background."""

    stdin: bool = Field(default=False, description="Its input stays open.")
    terminal: bool = Field(default=False, description="It has a pty.")


class Input(_Body):
    """Input for a command."""

    text: Annotated[str, Field(max_length=8 << 20)] | None = None
    base64: Annotated[str, Field(max_length=8 << 20)] | None = None
    end: bool = Field(default=False, description="It is the last.")

    def data(self) -> bytes:
        """Give the bytes; UsageError where they are no base64."""
        return (self.text or "").encode() + (decoded(self.base64) if self.base64 else b"")


class Signal(_Body):
    """A signal by its name (`TERM`) or number."""

    signal: Annotated[int, Field(ge=1, le=64)] | Annotated[str, Field(pattern=r"^(SIG)?[A-Z0-9+-]{1,12}$")] = "TERM"

    def number(self) -> int:
        """Give its number; UsageError where there is none."""
        if isinstance(self.signal, int):
            return self.signal
        try:
            return signal.Signals[f"SIG{self.signal.removeprefix('SIG')}"].value
        except KeyError:
            raise UsageError(f"there is no signal {self.signal!r}", hint="TERM, KILL, INT, HUP, or a number") from None


class Size(_Body):
    """A terminal's size in character cells."""

    rows: Annotated[int, Field(gt=0, le=10_000)]
    columns: Annotated[int, Field(gt=0, le=10_000)]


class Paths(_Body):
    """Paths below the workspace, or absolute and in it; none means all."""

    paths: Annotated[list[Path], Field(max_length=10_000)] = []


class Apply(Paths):
    """Changes to be applied."""

    force: bool = Field(default=False, description="Over the host's changes too, for given paths.")


class Directory(_Body):
    """A directory to be made."""

    path: Path
    parents: bool = False


class Keep(_Body):
    """A snapshot to be taken."""

    tag: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")] | None = None


class Fork(_Body):
    """Another sandbox, from what this one holds or did at a snapshot."""

    name: Name | None = None
    tag: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")] | None = None
    ttl: Annotated[float, Field(ge=1, le=366 * 24 * 3600)] | None = None


class NewGrant(_Body):
    """More of the network for a sandbox with an allow-list."""

    rule: Annotated[str, Field(min_length=1, max_length=512, description="HOST, HOST:PORT or *.DOMAIN.")]
    ttl: Annotated[float, Field(ge=1, le=366 * 24 * 3600)] | None = Field(None, description="Seconds.")


class NewKey(_Body):
    """A key to be made."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    scopes: Annotated[list[Literal["run", "files", "admin"]], Field(min_length=1, max_length=3)] = ["run", "files"]
    expires: Annotated[float, Field(ge=1, le=3660 * 24 * 3600)] = Field(90 * 24 * 3600.0, description="Seconds.")
    profile: Annotated[str, Field(pattern=_PROFILE)] | None = None


class Sandbox(BaseModel):
    """A sandbox as it is now."""

    name: str
    id: str = Field(description="What the audit log and the command line call it.")
    state: str = Field(description="running, paused, ended or unfinished.")
    problem: str | None
    principal: str | None
    profile: str | None
    driver: str | None
    workspace: str | None = Field(description="Its directory, inside as outside.")
    mode: str | None
    network: str | None
    created: float | None = Field(description="Seconds since the epoch, as every time here.")
    until: float | None
    idle_ttl: float | None
    monitored: bool | None = Field(description="What it is refused is told of.")
    unwatched: str | None = Field(description="Why not, where nobody had said that it should not be.")
    end: dict[str, object] | None = Field(description="Why it ended, when, and what was found.")


class Inspected(Sandbox):
    """A sandbox, with what holds in it."""

    enforcement: object


class Sandboxes(BaseModel):
    """A page of them; `next` is the `after` of the next one."""

    sandboxes: list[Sandbox]
    next: str | None


class Destroyed(BaseModel):
    """What was found planted for the host."""

    findings: list[str]


class Stream(BaseModel):
    """What a command printed: text, or base64 where it is no UTF-8."""

    text: str | None = None
    base64: str | None = None
    truncated: bool
    dropped_bytes: int


class Result(BaseModel):
    """What came of a command."""

    run: str = Field(description="Its id in the audit log.")
    exit_code: int = Field(description="Its own; 128+N for signal N; 124 after its time limit.")
    signal: int | None
    timed_out: bool
    oom_killed: bool
    pids_limited: bool
    output_truncated: bool
    duration: float
    usage: dict[str, float]
    profile: str
    driver: str
    findings: list[str]
    stdout: Stream
    stderr: Stream


class Process(BaseModel):
    """A command in the background."""

    id: str
    state: str = Field(description="starting, running, ended or lost.")
    argv: list[str]
    started: float | None
    ended: float | None
    exit_code: int | None
    terminal: bool = Field(description="It has a pty.")
    result: dict[str, object] | None = Field(description="How it ended.")


def decoded(text: str) -> bytes:
    """Give bytes that were written as base64; UsageError where they are none."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise UsageError("that is no base64", hint="RFC 4648, section 4") from error
