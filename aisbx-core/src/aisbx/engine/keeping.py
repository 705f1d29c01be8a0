"""The process that ends a sandbox when its time is over (`aisbx.keeper`): started, missed, asked what it did."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aisbx.audit.write import RESERVE
from aisbx.engine.watching import watch
from aisbx.errors import LaunchError, UsageError
from aisbx.types import KeptSandbox, Sandbox

if TYPE_CHECKING:
    from pathlib import Path

    from aisbx.engine.engine import Engine
    from aisbx.keeper import Job
    from aisbx.store import Record


_LEAST = 1.0


@dataclass(frozen=True, slots=True)
class End:
    """How a sandbox ended by itself: `ttl`, `idle-ttl` or `ended`, when (seconds since the epoch), what was found."""

    reason: str
    time: float
    findings: list[str]


def check_times(ttl: float, idle: float) -> None:
    """UsageError for times (seconds, 0 for none) that no sandbox can have."""
    for name, amount in (("--ttl", ttl), ("--idle-ttl", idle)):
        if 0 < amount < _LEAST:
            raise UsageError(f"{name}: a sandbox lives for a second at least", hint="write 30s, 10m, 2h")


def keep(
    engine: "Engine", record: "Record", sandbox: Sandbox, place: "Path", owner: tuple[int, int] | None = None
) -> None:
    """Have a sandbox watched, and ended when its time is over, where it is to be; an AisbxError where that can't be.

    Nothing happens where somebody sees to that already. For `owner` see `watch`.
    """
    if record.monitored:
        watch(engine, record, sandbox, place, owner)
    ttl = max(0.0, record.until - record.created) if record.until else 0.0
    if not (ttl or record.idle):
        return
    from aisbx import detached, keeper  # for systems with `posix`

    if keeper.kept(str(place)):
        return
    if not isinstance(sandbox, KeptSandbox):
        if record.idle:
            raise UsageError(f"driver {record.driver} cannot tell when a sandbox is idle", hint="use --ttl")
        return  # its driver ends it
    job: Job = {
        "sandbox": str(place),
        "name": record.name,
        "principal": record.principal,
        "audit": engine.audit,
        "reserve": f"{engine.state}/{RESERVE}",
        "work": sandbox.keeping(ttl, record.idle),
    }
    try:
        failure = detached.launch(keeper.__file__, job)
    except detached.SilentError as silent:
        failure = str(silent) or "it was ended"
    if failure is not None:
        raise LaunchError(f"what is to end the sandbox {record.name} does not start: {failure}", hint="try again")


def end_of(place: "Path") -> End | None:
    """Give how a sandbox ended by itself; None where it did not, or nobody knows."""
    from aisbx.keeper import ENDED  # for systems with `posix`

    try:
        row = json.loads((place / ENDED).read_bytes())
        return End(row["reason"], row["time"], row["findings"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
