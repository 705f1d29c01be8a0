"""Why a client can't connect: start what its configuration names, and speak to it as the client would."""

import json
import os
import subprocess
from collections.abc import Iterable, Mapping
from threading import Timer
from typing import Any, cast

import tomlkit
from aisbx.doctor import INFO, MISSING, OK, DoctorRow
from aisbx.errors import AisbxError
from tomlkit.exceptions import TOMLKitError

from aisbx_mcp.clients.known import NAME, Client, clients
from aisbx_mcp.clients.merge import read

_SECONDS = 20.0
_WHO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "aisbx-check", "version": "1"}}
_ASK = (
    {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": _WHO},
    {"jsonrpc": "2.0", "method": "notifications/initialized"},
    {
        "jsonrpc": "2.0",
        "id": 2,
        "method": "tools/call",
        "params": {"name": "aisbx-run", "arguments": {"command": ["true"]}},
    },
)
# What a program gets that no shell has started; some clients give a server no more.
_LITTLE = ("HOME", "USER", "LOGNAME", "LANG", "XDG_RUNTIME_DIR")


def rows() -> Iterable[DoctorRow]:
    """Give for `aisbx doctor` why a client that was told of this server can't connect; others are left out."""
    told = False
    for client in clients(os.environ).values():
        level, said = examine(client, os.environ)
        if level == "ok":
            yield DoctorRow("", client.title, OK, said)
        elif level == "failed":
            yield DoctorRow("", client.title, MISSING, said, f"aisbx mcp check --client {client.name}")
        told = told or level != "absent"
    if not told:
        yield DoctorRow("", "clients", INFO, "none has been told of this server: aisbx mcp install --client NAME")


def examine(client: Client, environ: Mapping[str, str]) -> tuple[str, str]:
    """Give `ok`, `absent` or `failed`, and what is the matter."""
    try:
        entry = _entry(client)
    except (AisbxError, ValueError, TOMLKitError) as error:
        return "failed", str(error)
    if entry is None:
        return "absent", f"{client.path} does not have it: aisbx mcp install --client {client.name}"
    command, arguments = entry.get("command"), entry.get("args", [])
    if not isinstance(command, str) or not os.path.isabs(command) or not os.access(command, os.X_OK):
        return "failed", f"{client.path}: {command!r} cannot be executed: aisbx mcp install --client {client.name}"
    little = {name: environ[name] for name in _LITTLE if name in environ} | {"PATH": "/usr/bin:/bin"}
    words = [command, *map(str, cast("list[object]", arguments))]
    given = cast("dict[str, object]", entry.get("env") or {})
    return _spoken(words, little | {name: str(value) for name, value in given.items()})


def _entry(client: Client) -> dict[str, Any] | None:
    text = read(client)
    if not text.strip():
        return None
    document: Any = tomlkit.parse(text).unwrap() if client.toml else json.loads(text)
    return document.get(client.table, {}).get(NAME)


def _spoken(words: list[str], environ: dict[str, str]) -> tuple[str, str]:
    asked = "".join(f"{json.dumps(message)}\n" for message in _ASK)
    with subprocess.Popen(
        words, env=environ, cwd="/", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin  # noqa: S101 - asked for
        assert process.stdout  # noqa: S101
        watch = Timer(_SECONDS, process.kill)
        watch.start()
        try:
            process.stdin.write(asked)
            process.stdin.flush()
            answers = _answers(process.stdout)
        except (OSError, ValueError) as error:
            answers = {}
            words = [*words, str(error)]
        finally:
            watch.cancel()
        _, told = process.communicate()
    last = told.strip().rpartition("\n")[2]
    if 1 not in answers:
        return "failed", f"`{' '.join(words)}` does not answer: {last or 'it ended, or took too long'}"
    result = answers.get(2, {}).get("result")
    if not isinstance(result, dict) or cast("dict[str, Any]", result).get("isError", False):
        return "failed", f"it answers, and no sandbox can be made: {_said(answers.get(2)) or last}; see: aisbx doctor"
    return "ok", "it answers, and a command ran in a sandbox"


def _answers(lines: Iterable[str]) -> dict[int, dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    for line in lines:
        message = json.loads(line)
        if "id" in message:
            found[message["id"]] = message
        if 2 in found:  # noqa: PLR2004 - the last that was asked
            break
    return found


def _said(answer: dict[str, Any] | None) -> str:
    try:
        return str(cast("dict[str, Any]", answer)["result"]["content"][0]["text"]).replace("\n", "; ")
    except (KeyError, IndexError, TypeError):
        return ""
