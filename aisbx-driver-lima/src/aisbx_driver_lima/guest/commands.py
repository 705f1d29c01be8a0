"""A command as JSON: what the host asks of a sandbox that lasts."""

from collections.abc import Mapping
from typing import Any

from aisbx.types import Command


def told(command: Command) -> dict[str, object]:
    """Give it as plain data."""
    return {
        "argv": list(command.argv),
        "environment": dict(command.environment),
        "cwd": command.cwd or "",
        "limits": dict(command.limits),
    }


def understood(row: Mapping[str, Any]) -> Command:
    """Give the command that was told."""
    return Command(
        argv=tuple(row["argv"]),
        environment=dict(row["environment"]),
        cwd=row["cwd"] or None,
        limits={name: float(amount) for name, amount in row["limits"].items()},
    )
