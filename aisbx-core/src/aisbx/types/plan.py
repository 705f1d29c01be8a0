"""A local launch as plain data (builtin types only), so that it can be cached with `marshal`.

A driver that starts processes on this machine gives one of these from `plan(spec)`; the module that
`launcher` names carries it out, on the hot path and on the full one alike.
"""

from types import CodeType
from typing import NotRequired, TypedDict


class Source(TypedDict):
    """A host path that is opened at launch, without following a link in its last component.

    `within` is the index of the source whose target holds this one's, -1 for none: that one comes earlier.
    `identity` is (st_dev, st_ino) when the plan was made, or None where it may change between runs;
    `owned` asks for the mount to be mapped to the sandbox's user when root runs it.
    """

    path: str
    target: str
    writable: bool
    within: int
    identity: tuple[int, int] | None
    owned: bool


CgroupRow = tuple[str, list[tuple[str, str]], list[tuple[str, str, str]], bool]
"""The directory to make a cgroup in; (file, value) to write there; (file, key, name) of what to look for at the end.

A key that counts more than 0 then is reported as `name`, which is one of `oom_killed` and `pids_limited`. Last, whether
the tool is started there: by a process that goes in for that moment, and back to the directory itself (version 1)."""


class LaunchPlan(TypedDict):
    """What every plan has, whatever its launcher does with it."""

    format: int
    launcher: str
    """The module whose `launch(plan, request)` carries this out."""
    sources: list[Source]
    cgroup: tuple[bytes, list[CgroupRow]] | None
    """/proc/self/cgroup when the plan was made, and the cgroups that a launch makes; None where it makes none."""


class EgressPlan(TypedDict):
    """The process that gets sockets of the sandbox's network: see `aisbx.egress.server`."""

    words: list[str]
    job: str
    principal: str
    port: int
    """On 127.0.0.1, inside."""
    block: str
    """Addresses that lead to the inside itself, as `ADDRESS/BITS`."""
    proxied: NotRequired[str]
    """Beside `job`, see `Proxied.job`: values of secrets, in a plan that is never kept."""


class LocalPlan(LaunchPlan):
    """Everything that a launch needs but the command, its variables and its streams."""

    program: str
    """The absolute path of the tool that makes the namespaces."""
    words: list[str]
    """What it is told before its options, if it is an interpreter of the tool; `{file:N}` as in `tail`.

    Such a tool is given the command behind its options, and not on its command line.
    """
    head: list[str]
    """Its options before the mounts of `sources`."""
    tail: list[str]
    """Its options after them; `{file:N}` stands for a descriptor of `files[N]`."""
    files: list[bytes]
    """Contents that are handed over as memory files, never on a command line."""
    environment: dict[str, str]
    inputs: list[str]
    """Paths beside `program` and `sources` that were looked at: a change of one makes the plan stale."""
    filter: bytes
    """The compiled seccomp program: sock_filter[] in native order."""
    rlimits: list[tuple[int, int, int]]
    """(resource, soft, hard) set on the sandbox's first process, inside its user namespace."""
    watch: tuple[int, int, list[str]] | None
    """Bytes and tasks that the launcher looks after because no cgroup does (0: any), and where private space is."""
    outside: tuple[int, int, int] | None
    """Run by root: (uid on disk that is mapped, uid and gid that the sandbox has on the host)."""
    contained: bool
    """The tool is the first process of an outer PID namespace; False only where `proc:no-survivors` was given up."""
    composed: bool
    """The launcher itself makes mounts in mounts, by descriptor; False only where `fs:host-hidden` was given up."""
    private: list[str]
    """Mount options (tmpfs(5)) of each private file system that the launcher makes, for the tool to bind."""
    publish: list[int]
    """Ports on which the host's loopback is to reach servers inside; none where they share a network."""
    egress: NotRequired[EgressPlan]
    """Who decides on connections; left out where none can be made."""
    workspace: tuple[str, str] | None
    """(path, mode) where protected files are to be watched."""
    cwd: str
    wall_time: float
    output: int
    """Bounds in seconds and bytes; 0 means none."""


class JoinPlan(LaunchPlan):
    """How a command gets into a sandbox that lasts. It makes neither mounts nor cgroups: those are there."""

    home: str
    """The driver's own directory of the sandbox."""
    environment: dict[str, str]
    """What its maker named for all its commands."""
    cwd: str
    """Where its commands start; empty: where the sandbox's own plan says."""
    limits: dict[str, float]
    """`wall_time` (seconds) and `output` (bytes), which narrow the sandbox's own."""


class Joining(TypedDict):
    """What the compiled front needs beside a `LocalPlan` so that a command joins a sandbox that lasts."""

    home: str
    """The driver's own directory of the sandbox."""
    held: tuple[int, int, int, int]
    """(st_dev, st_ino, st_mtime_ns, st_size) of its file `held`, which all here was read from."""
    boot: str
    first: tuple[int, int]
    """The first process: its pid, and when it was started, in ticks since boot."""
    who: tuple[int, int]
    """uid and gid inside."""
    watched: bool
    """The filter notifies, and its listener goes to who watches the sandbox."""
    groups: list[tuple[str, list[tuple[str, str, str]]]]
    """The directory of each of its cgroups, and (file, key, name) of what it counts, as `CgroupRow` has them."""


class Carried(TypedDict):
    """What the compiled front carries out for a plan."""

    plan: LocalPlan
    """Where it joins, the sandbox's own with the command's variables, directory and limits."""
    scans: str
    """The file of what is known of a workspace that is watched; empty for none."""
    joining: Joining | None
    """None: the sandbox is made for the command."""


class AuditPlace(TypedDict):
    """Where the audit log is, and how it is kept; see `aisbx.audit`."""

    path: str
    key: str
    """The file of the key that records are chained with."""
    limit: int
    """Bytes at which a file is full."""
    keep: int
    """How many full files are kept, the newest; 0: all."""
    export: str
    """Where the head is told after each record: a file, `syslog` or `syslog:SOCKET`; empty: nowhere."""


class PlanEntry(TypedDict):
    """A plan on disk: all that decides whether it still holds, and how its runs are recorded."""

    format: int
    name: str
    paths: list[tuple[str, tuple[int, int, int, int, int, int] | None, bool]]
    """(path, (dev, ino, mode, mtime_ns, ctime_ns, size) or None for absent, link not followed)"""
    variables: list[str]
    prefixes: list[str]
    environment: bytes
    """Digest of the named variables and of those that begin with a prefix."""
    roots: list[str]
    """Directories that the launcher is imported from."""
    code: list[tuple[str, str, bool, CodeType | None]]
    """Modules to be made without looking for their files; see `aisbx.plan.recall`."""
    plan: LaunchPlan
    kind: str
    """`run` or `exec`: how the kinds of its records begin."""
    record: str
    """The part of the audit record that is the same for all its runs, as JSON members."""
    program_only: bool
    """Record only the program of a command, not its arguments."""
    audit: AuditPlace
    state: str
    keep_output: int
    keep_runs: int
