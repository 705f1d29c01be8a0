"""What a supervisor answers, as what the engine gives."""

import base64
from typing import Any

from aisbx.engine.background import BackgroundCommand
from aisbx.engine.found import UNFINISHED, Found
from aisbx.engine.keeping import End
from aisbx.snapshots import Snapshot
from aisbx.store import Record
from aisbx.types import (
    Captured,
    Change,
    ControlState,
    Enforcement,
    ExitStatus,
    FileRow,
    Level,
    Outcome,
    ProcessRow,
    Usage,
)


def record(row: dict[str, Any]) -> Record | None:
    """Give what is known of a sandbox; None where it was never finished."""
    if row["state"] == UNFINISHED or row["created"] is None:
        return None
    return Record(
        name=row["name"],
        created=row["created"],
        until=row["until"] or 0.0,
        principal=row["principal"],
        driver=row["driver"],
        profile=row["profile"],
        workspace=row["workspace"],
        mode=row["mode"],
        network=row["network"],
        static="",
        idle=row["idle_ttl"] or 0.0,
        monitored=row["monitored"] or False,
        unwatched=row["unwatched"] or "",
    )


def found(row: dict[str, Any]) -> Found:
    """Give a sandbox as it is now."""
    end = row["end"]
    return Found(
        row["name"],
        row["state"],
        record(row),
        enforcement(row.get("enforcement") or {}),
        row["problem"] or "",
        End(end["reason"], end["time"], end["findings"]) if end else None,
    )


def enforcement(told: dict[str, dict[str, str]]) -> Enforcement:
    """Give what holds."""
    return Enforcement(
        tuple(
            ControlState(name, Level(row["level"]), *(row.get(key, "") for key in _WHY)) for name, row in told.items()
        )
    )


_WHY = ("mechanism", "reason", "remedy")


def data(told: dict[str, Any]) -> bytes:
    """Give bytes that are told as text or base64."""
    if told.get("base64") is not None:
        return base64.b64decode(told["base64"])
    return (told.get("text") or "").encode()


def outcome(told: dict[str, Any], held: Enforcement) -> Outcome:
    """Give what came of a command that was waited for."""
    streams = {name: Captured(data(told[name]), told[name]["dropped_bytes"]) for name in ("stdout", "stderr")}
    return Outcome(
        run=told["run"],
        status=status(told, **streams),
        profile=told["profile"],
        driver=told["driver"],
        enforcement=held,
        captured=True,
    )


def status(told: dict[str, Any], *, stdout: Captured, stderr: Captured) -> ExitStatus:
    """Give how a command ended."""
    return ExitStatus(
        code=told["exit_code"],
        signal=told["signal"] or 0,
        timed_out=told["timed_out"],
        oom_killed=told["oom_killed"],
        pids_limited=told["pids_limited"],
        duration=told["duration"],
        usage=Usage(**told["usage"]),
        stdout=stdout,
        stderr=stderr,
        findings=tuple(told["findings"]),
    )


def command(row: dict[str, Any]) -> BackgroundCommand:
    """Give a command in the background as it is now."""
    told = {key: row[key] for key in ("id", "argv", "started", "ended", "terminal") if row[key] is not None}
    return BackgroundCommand(row["id"], "", row["state"], {**told, **(row["result"] or {})})


def process(row: dict[str, Any]) -> ProcessRow:
    """Give a process that runs in a sandbox."""
    return ProcessRow(pid=row["pid"], state=row["state"], started=row["started"], argv=tuple(row["argv"]))


def file(row: dict[str, Any]) -> FileRow:
    """Give what is at a path."""
    return FileRow(name=row["name"], kind=row["kind"], mode=row["mode"], size=row["size"], changed=row["changed"])


def change(row: dict[str, Any]) -> Change:
    """Give something that was changed."""
    return Change(**{key: value for key, value in row.items() if key != "left"})


def snapshot(row: dict[str, Any]) -> Snapshot:
    """Give what was kept."""
    kept = ("tag", "created", "principal", "mechanism")
    return Snapshot(**{name: row[name] for name in kept})
