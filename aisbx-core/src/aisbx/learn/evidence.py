"""What was seen of a command: told by who observed it, by the proxy of its network, and by its workspace's layer."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from aisbx.audit.read import Record
from aisbx.types import Change

READ, WRITE, RUN, LOOK = "read", "write", "run", "look"
"""What is done with a path."""


@dataclass(frozen=True, slots=True)
class Trace:
    """How often something was asked for, when first (seconds since the epoch), and by which program, if known."""

    times: int
    first: float
    program: str = ""

    def __str__(self) -> str:
        """Say it in a few words."""
        often = "once" if self.times == 1 else f"{self.times} times"
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.first))
        return f"{often}, first {when}" + (f", by {self.program}" if self.program else "")


def together(traces: Iterable[Trace]) -> Trace:
    """Give the sum of some, with the first program that is known."""
    every = sorted(traces, key=lambda trace: trace.first)
    return Trace(sum(trace.times for trace in every), every[0].first, next((t.program for t in every if t.program), ""))


@dataclass(frozen=True, slots=True)
class FileSeen:
    """A path that was asked for, as it is inside; `there`: there was something when it was first asked for."""

    path: str
    kind: str
    there: bool
    trace: Trace


@dataclass(frozen=True, slots=True)
class HostSeen:
    """A host that was asked for; port 0 where only its name was looked up."""

    host: str
    port: int
    trace: Trace
    network: str = ""
    """What the proxy says that it leads to, where that is not the public internet."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A system call that was refused; `grant` is the group that would allow it, empty for none."""

    call: str
    arguments: Mapping[str, object]
    errno: str
    why: str
    grant: str
    trace: Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All of it."""

    files: Sequence[FileSeen] = ()
    hosts: Sequence[HostSeen] = ()
    refused: Sequence[Refused] = ()
    changes: Sequence[Change] = ()
    syscalls: Sequence[str] = ("base",)
    """The groups that are enough for what was seen."""
    spare: Sequence[str] = ()
    """The groups that were allowed, and not needed."""
    needs: Mapping[str, tuple[str, Trace]] = field(default_factory=dict[str, tuple[str, Trace]])
    """Group → the first call that needed it."""
    peaks: Mapping[str, int] = field(default_factory=dict[str, int])
    """The most memory (bytes) and pids (tasks), as far as that was measured."""
    lost: int = 0
    """Things that were too many to be kept."""


def evidence(observed: Mapping[str, object], records: Iterable[Record], changes: Iterable[Change]) -> Evidence:
    """Read what the observer, the audit log and the layer say."""
    told = cast("Mapping[str, Any]", observed)
    return Evidence(
        files=[FileSeen(row["path"], row["kind"], row["there"], _trace(row)) for row in told["files"]],
        hosts=_hosts(records),
        refused=[
            Refused(
                row["what"],
                row["arguments"] or {},
                row["errno"],
                row["why"],
                str(row["grant"]).removeprefix("syscalls: [").removesuffix("]"),
                _trace(row),
            )
            for row in told["refused"]
        ],
        changes=list(changes),
        syscalls=told["syscalls"],
        spare=told["spare"],
        needs={row["group"]: (row["call"], _trace(row)) for row in told["needs"]},
        peaks=told["peaks"],
        lost=told["lost"],
    )


def _trace(row: Mapping[str, Any]) -> Trace:
    return Trace(row["times"], row["first"], row["program"])


def _hosts(records: Iterable[Record]) -> list[HostSeen]:
    """Give each host and port once; of a name that was also asked for with a port, only that."""
    found: dict[tuple[str, int], list[Trace]] = {}
    networks: dict[str, str] = {}
    for record in records:
        data = record.table("egress")
        host, port, before = data.get("host"), data.get("port", 0), data.get("before", 0)
        if isinstance(host, str) and isinstance(port, int) and isinstance(before, int):
            found.setdefault((host, port), []).append(Trace(1 + before, record.time))
            networks[host] = str(data.get("network", "")) or networks.get(host, "")
    with_port = {host for host, port in found if port}
    return [
        HostSeen(host, port, together(traces), networks[host])
        for (host, port), traces in sorted(found.items())
        if port or host not in with_port
    ]
