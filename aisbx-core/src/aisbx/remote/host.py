"""What is its host's: keys, grants, the audit log, the doctor. Needs a key with `admin`, or the socket's user."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from aisbx.audit.read import Reading, Record
from aisbx.audit.verify import Problem, Verification
from aisbx.doctor import DoctorRow
from aisbx.egress.grants import Grant
from aisbx.errors import StateError, UsageError
from aisbx.keys import Key
from aisbx.remote.server import Server, path_of, there
from aisbx.types import Principal

MOST = 1000
"""Records that are told at once."""


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
    """Give the last records, `MOST` of them where `tail` is None; of a key its own. UsageError for more."""
    if tail == 0:
        return Reading()
    if tail is not None and tail > MOST:
        raise UsageError(
            f"--tail: a supervisor tells of {MOST} records at most", hint="leave it out, or ask over there"
        )
    rows: list[dict[str, Any]] = server.get("audit", limit=tail or MOST, since=since)["records"]
    return Reading(tuple(Record(row) for row in rows))


class RemoteGranting:
    """In place of `aisbx.engine.granting.Granting`."""

    def __init__(self, server: Server, name: str) -> None:
        """Ask nothing yet."""
        self._server = server
        self._place = path_of("sandboxes", name, "grants")

    def all(self) -> list[Grant]:
        """Give those that hold now; an AisbxError says why nothing can be granted there."""
        with there():
            return [_grant(row) for row in self._server.get(self._place)["grants"]]

    def add(self, text: str, ttl: float, _principal: Principal, _host: str) -> Grant:
        """Let it reach what a rule names, for so many seconds (0: as long as it is there), and give the grant."""
        with there():
            return _grant(self._server.post(self._place, {"rule": text, "ttl": ttl or None}))

    def withdraw(self, text: str, _principal: Principal, _host: str) -> None:
        """Take a grant back, which closes the connections it allowed; UsageError where there is none."""
        with there():
            self._server.delete(self._place, rule=text)


def _grant(row: dict[str, Any]) -> Grant:
    return Grant(row["rule"], row["until"] or 0.0)


def verification(server: Server, known: Mapping[int, str]) -> Verification:
    """Have the host look through its log, which has to have the heads that are `known`: MACs by their numbers."""
    told = server.get("audit/verification", head=[f"{seq}:{mac}" for seq, mac in known.items()] or None)
    seq, _, mac = told["head"].partition(":")
    problems, notes = ([Problem(**row) for row in told[rows]] for rows in ("problems", "notes"))
    return Verification(told["records"], int(seq), mac, problems, notes)


def findings(server: Server) -> list[DoctorRow]:
    """Give what the host's doctor finds."""
    return [DoctorRow(**{one.name: row[one.name] for one in fields(DoctorRow)}) for row in server.get("doctor")["rows"]]
