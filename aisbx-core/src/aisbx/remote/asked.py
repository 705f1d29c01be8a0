"""Requests and commands as bodies. What a supervisor decides by itself cannot be asked for, and is refused here."""

import base64
from collections.abc import Mapping
from dataclasses import fields

from aisbx.errors import UsageError
from aisbx.types import Command, NetworkMode, RunRequest

_LIMITS = {"wall_time": "timeout"}
"""Limits that have another name there."""
_HERE = (".", "")
_SENT = frozenset({"command", "cwd", "profile", "workspace", "environment", "network", "limits"})
_OPTIONS = {"mounts": "mount", "secrets": "secret"}


def of_request(request: RunRequest) -> dict[str, object]:
    """Give the body that makes a sandbox; UsageError for what no supervisor lets a client say."""
    _refuse(request)
    workspace = request.workspace
    body: dict[str, object] = {
        "profile": "+".join(request.profile) or None,
        "mode": workspace.mode.value if workspace is not None and workspace.mode is not None else None,
        "env": dict(request.environment),
        "network": request.network.mode.value if request.network is not None else None,
        **_limits(request.limits),
    }
    return {key: value for key, value in body.items() if value is not None}


def _refuse(request: RunRequest) -> None:
    network, workspace = request.network, request.workspace
    usual = RunRequest(command=request.command, cwd=request.cwd)
    # Whatever is not sent is refused, also what requests learn to say later.
    asked = [one.name for one in fields(request) if one.name not in _SENT]
    asked = [name for name in asked if getattr(request, name) != getattr(usual, name)]
    if workspace is not None and workspace.path not in _HERE:
        asked.append("workspace")
    if network is not None and network.mode is not NetworkMode.NONE:
        asked.append("network")
    if asked:
        hints = {"workspace": "write .:MODE for a narrower one", "network": "leave it out, or write none"}
        hint = hints.get(asked[0], "leave it out: whoever starts the supervisor says it")
        option = _OPTIONS.get(asked[0], asked[0])
        raise UsageError(f"--{option}: the supervisor decides that, not who asks it", hint=hint)


def of_command(command: Command) -> dict[str, object]:
    """Give the body of a command; UsageError for secrets, which are the other host's."""
    if command.secrets:
        raise UsageError("--secret: secrets are the supervisor's host's", hint="leave it out")
    body = {"argv": list(command.argv), "env": dict(command.environment), "cwd": command.cwd}
    return {key: value for key, value in {**body, **_limits(command.limits)}.items() if value is not None}


def of_input(given: bytes) -> dict[str, object]:
    """Give the members of a body for a command's input."""
    try:
        return {"stdin": given.decode()}
    except UnicodeDecodeError:
        return {"stdin_base64": base64.b64encode(given).decode()}


def of_bytes(data: bytes) -> dict[str, object]:
    """Give the body for more input of a command that runs."""
    try:
        return {"text": data.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def _limits(limits: Mapping[str, float]) -> dict[str, object]:
    whole = {"memory", "pids", "disk", "output"}
    return {_LIMITS.get(name, name): int(amount) if name in whole else amount for name, amount in limits.items()}
