"""A local launch as plain data (builtin types only), so that it can be cached with `marshal`.

A driver that starts processes on this machine gives one of these from `plan(spec)`; the module that
`launcher` names carries it out, on the hot path and on the full one alike.
"""

from typing import TypedDict


class Source(TypedDict):
    """A host path that is opened at launch, without following a link in its last component.

    `identity` is (st_dev, st_ino) when the plan was made, or None where it may change between runs;
    `owned` asks for the mount to be mapped to the sandbox's user when root runs it.
    """

    path: str
    target: str
    writable: bool
    identity: tuple[int, int] | None
    owned: bool


class LocalPlan(TypedDict):
    """Everything that a launch needs but the command, its variables and its streams."""

    format: int
    launcher: str
    """The module whose `launch(plan, command, stdio)` carries this out."""
    program: str
    """The absolute path of the tool that makes the namespaces."""
    head: list[str]
    """Its options before the mounts of `sources`."""
    sources: list[Source]
    tail: list[str]
    """Its options after them; `{file:N}` stands for a descriptor of `files[N]`."""
    files: list[bytes]
    """Contents that are handed over as sealed memory files, never on a command line."""
    environment: dict[str, str]
    filter: bytes
    """The compiled seccomp program: sock_filter[] in native order."""
    rlimits: list[tuple[int, int, int]]
    """(resource, soft, hard) set on the sandbox's first process, inside its user namespace."""
    outside: tuple[int, int, int] | None
    """Run by root: (uid on disk that is mapped, uid and gid that the sandbox has on the host)."""
    workspace: tuple[str, str] | None
    """(path, mode) where protected files are to be watched."""
    cwd: str
    search: list[str]
    """Directories of PATH as they are seen inside."""
    wall_time: float
    output: int
    """Bounds in seconds and bytes; 0 means none."""


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
    """What came of it; the fields are those of `ExitStatus`, and `failure` where nothing was run."""

    code: int
    signal: int
    timed_out: bool
    duration: float
    user_seconds: float
    system_seconds: float
    max_rss_bytes: int
    stdout: bytes
    stderr: bytes
    stdout_bytes: int
    stderr_bytes: int
    dropped: int
    findings: list[str]
    failure: tuple[str, str] | None
    """(`launch` | `command-not-found` | `command-not-executable`, message)"""
