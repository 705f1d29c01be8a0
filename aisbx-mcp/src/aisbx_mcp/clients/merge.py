"""Put our entry into a client's configuration, or take it out; the rest of the file stays as it is."""

import json
import os
import time
from typing import Any, cast

import tomlkit
from aisbx.errors import ConfigError
from tomlkit.exceptions import TOMLKitError

from aisbx_mcp.clients.known import NAME, Client

_LARGEST = 64 << 20


def with_entry(client: Client, text: str, entry: dict[str, object]) -> str:
    """Give the file's text with our entry in it; ConfigError where it can't be read."""
    document = _read(client, text)
    servers = document.setdefault(client.table, tomlkit.table() if client.toml else {})
    if not isinstance(servers, dict):
        raise _wrong(client, f"{client.table} is no table")
    cast("dict[str, Any]", servers)[NAME] = entry
    return _written(client, document, text)


def without_entry(client: Client, text: str) -> str:
    """Give the file's text without our entry; the same text where it has none."""
    document = _read(client, text)
    servers = document.get(client.table)
    if not isinstance(servers, dict) or NAME not in servers:
        return text
    del cast("dict[str, Any]", servers)[NAME]
    return _written(client, document, text)


def read(client: Client) -> str:
    """Give the text of a client's file, "" where there is none; ConfigError where it can't be read."""
    try:
        with open(client.path, encoding="utf-8", newline="") as file:
            text = file.read(_LARGEST + 1)
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise _wrong(client, str(error)) from error
    if len(text) > _LARGEST:
        raise _wrong(client, "it is larger than 64 MiB")
    return text


def write(client: Client, text: str, before: str) -> str:
    """Replace a client's file, whole or not at all, and give the path of the copy of what it was ("" for none).

    ConfigError where that can't be, or where it has changed since it was read. A link stays one.
    """
    path = os.path.realpath(client.path)
    backup = ""
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        mode = os.stat(path).st_mode & 0o777 if os.path.exists(path) else 0o600
        if not mode & 0o222:  # another tool manages it, or its user wants it so
            raise _wrong(client, "it is read-only")
        if before:
            backup = _kept(path, before, mode)
        _new(temporary, text, mode)
        if read(client) != before:
            raise _wrong(client, "it was changed at this moment; try again")
        os.replace(temporary, path)
    except OSError as error:
        raise _wrong(client, f"it cannot be written: {error.strerror}") from error
    finally:
        if os.path.lexists(temporary):
            os.unlink(temporary)
    return backup


def _kept(path: str, text: str, mode: int) -> str:
    """Write what a file was beside it, and give where: never over what was kept before."""
    place = base = f"{path}.before-aisbx-{time.strftime('%Y%m%d-%H%M%S')}"
    number = 1
    while os.path.lexists(place):  # of the same second
        number += 1
        place = f"{base}-{number}"
    _new(place, text, mode)
    return place


def _new(path: str, text: str, mode: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    with open(os.open(path, flags, mode), "w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _read(client: Client, text: str) -> dict[str, Any]:
    try:
        document: object = tomlkit.parse(text) if client.toml else json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError, TOMLKitError) as error:
        raise _wrong(client, str(error)) from error
    if not isinstance(document, dict):
        raise _wrong(client, "it is no object")
    return cast("dict[str, Any]", document)


def _written(client: Client, document: dict[str, Any], before: str) -> str:
    if client.toml:
        return tomlkit.dumps(document)  # pyright: ignore[reportArgumentType, reportUnknownMemberType]  (a mapping)
    indent = "\t" if "\n\t" in before else 4 if "\n    " in before and '\n  "' not in before else 2
    return json.dumps(document, indent=indent, ensure_ascii=False) + "\n"


def _wrong(client: Client, why: str) -> ConfigError:
    hint = f"mend it, or put in by hand what `aisbx mcp install --client {client.name} --print` shows"
    return ConfigError(why, file=client.path, hint=hint)
