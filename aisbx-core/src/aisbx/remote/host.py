"""What a supervisor's host keeps: keys, the audit log, the settings. Needs a key with `admin`, or the socket's user."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from aisbx.audit.read import Reading, Record
from aisbx.errors import StateError, UsageError
from aisbx.keys import Key
from aisbx.remote.server import Server, path_of

_MOST = 1000


class RemoteKeyring:
    """In place of `aisbx.keys.Keyring`."""

    def __init__(self, server: Server) -> None:
        """Ask nothing yet."""
        self._server = server

    def all(self) -> Mapping[str, Key]:
        """Give every key by its id."""
        return {row["id"]: _key(row) for row in self._server.get("keys")["keys"]}

    def create(
        self,
        name: str,
        scopes: Sequence[str],
        *,
        seconds: float = 0.0,
        workspace: str = "",
        mode: str = "",
        profile: str = "",
    ) -> tuple[Key, str]:
        """Make a key and give it with what is handed out; UsageError for what only the host itself can say."""
        if workspace or mode:
            raise UsageError("--workspace: a directory of the supervisor's host", hint="make that key over there")
        if not seconds:
            raise UsageError("--expires never: a key that is made over a network ends", hint="write 90d")
        body = {"name": name, "scopes": list(scopes), "expires": seconds, "profile": profile or None}
        row = self._server.post("keys", body)
        return _key(row), row["key"]

    def revoke(self, name: str) -> Key:
        """End a key for good, by its id, or by its name where it is active; StateError where there is none."""
        now, keys = time.time(), self.all().values()
        meant = [key for key in keys if key.id == name and not key.revoked]
        meant = meant or [key for key in keys if key.name == name and key.state(now) == "active"]
        if len(meant) != 1:
            told = f"there are {len(meant)} active keys {name!r}" if meant else f"there is no key {name!r} to revoke"
            raise StateError(told, hint="see: aisbx key list")
        return _key(self._server.delete(path_of("keys", meant[0].id)))


def _key(row: dict[str, Any]) -> Key:
    kept = ("id", "name", "created", "expires", "revoked", "workspace", "mode", "profile")
    return Key(sha256="", scopes=tuple(row["scopes"]), **{name: row[name] for name in kept})


def audit(server: Server, tail: int | None, since: float) -> Reading:
    """Give the last records, at most 1000; of a key its own."""
    if tail == 0:
        return Reading()
    rows: list[dict[str, Any]] = server.get("audit", limit=min(tail or _MOST, _MOST), since=since)["records"]
    return Reading(tuple(Record(row) for row in rows))
