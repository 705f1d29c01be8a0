"""The keys on disk: `$XDG_STATE_HOME/aisbx/keys.json` (0600), which no sandbox ever sees.

It is replaced as a whole under a lock: whoever is killed on the way leaves it as it was.
"""

import json
import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import cast

from aisbx.errors import ConfigError, StateError, UsageError
from aisbx.inputs import Inputs
from aisbx.keys.key import SCOPES, Key, matching, new_id, new_secret
from aisbx.paths import LARGEST, ensure_private, locked, read_own, write_own

VERSION = 1
_FILE = "keys.json"
_KEPT = 90 * 24 * 3600
"""Seconds for which a key that has ended is still listed."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_TEXTS, _TIMES = ("name", "sha256", "workspace", "mode", "profile"), ("created", "expires", "revoked")


class Keyring:
    """All keys of one user."""

    def __init__(self, state: Path) -> None:
        """`state` is `$XDG_STATE_HOME/aisbx`; nothing is read or made yet."""
        self.file = state / _FILE
        self._known: tuple[tuple[int, ...], dict[str, Key]] | None = None

    def all(self) -> Mapping[str, Key]:
        """Give every key by its id, as the file has them now; StateError where that is damaged or newer."""
        looks = _looks(self.file)
        if self._known is None or self._known[0] != looks:
            self._known = looks, self._read()
        return self._known[1]

    def find(self, written: str) -> Key | None:
        """Give the key that somebody shows, whatever has become of it; None where it is none of these."""
        return matching(written, self.all())

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
        """Make a key and give it with what is handed out, which is kept nowhere; `seconds` 0: it does not expire.

        UsageError for a name that can be none or is taken, and for an unknown scope; StateError where it can't be kept.
        """
        if not _NAME.fullmatch(name):
            raise UsageError(f"{name!r} is not a name for a key", hint="use letters, digits, '.', '_' and '-'")
        if unknown := set(scopes) - set(SCOPES):
            raise UsageError(f"there is no scope {min(unknown)!r}", hint=f"there are {', '.join(SCOPES)}")
        if not scopes:
            raise UsageError("a key needs a scope", hint=f"there are {', '.join(SCOPES)}")
        now = int(time.time())
        made = Key(
            id=new_id(),
            name=name,
            sha256="",
            scopes=tuple(scope for scope in SCOPES if scope in scopes),
            created=now,
            expires=now + max(1, round(seconds)) if seconds else 0,
            workspace=workspace,
            mode=mode,
            profile=profile,
        )
        written, sha256 = new_secret(made.id)
        made = replace(made, sha256=sha256)
        ensure_private(self.file.parent)
        with locked(self.file.with_suffix(".lock")):
            keys = {one.id: one for one in self._read().values() if _ended(one) > now - _KEPT}
            if any(one.name == name and one.state(now) == "active" for one in keys.values()):
                raise UsageError(f"there is a key {name!r} already", hint="revoke it, or take another name")
            self._write({**keys, made.id: made})
        return made, written

    def revoke(self, name: str) -> Key:
        """End a key for good, by its id, or by its name where it is active.

        StateError where there is none that could be, or where several have the name.
        """
        ensure_private(self.file.parent)
        with locked(self.file.with_suffix(".lock")):
            keys, now = self._read(), int(time.time())
            meant = [key for key in keys.values() if key.id == name and not key.revoked]
            meant = meant or [key for key in keys.values() if key.name == name and key.state(now) == "active"]
            if len(meant) > 1:
                ids = ", ".join(key.id for key in meant)
                raise StateError(f"there are {len(meant)} active keys {name!r}", hint=f"name one by its id: {ids}")
            for key in meant:
                gone = replace(key, revoked=now)
                self._write({**keys, key.id: gone})
                return gone
        raise StateError(f"there is no key {name!r} to revoke", hint="see: aisbx key list")

    def _read(self) -> dict[str, Key]:
        hint = f"put a copy back, or remove {self.file} and make the keys anew"
        try:
            data = read_own(self.file, Inputs())
            record: object = json.loads(data) if data is not None else {"version": VERSION, "keys": {}}
        except (ConfigError, ValueError, RecursionError) as error:
            raise StateError(f"{self.file} cannot be used: {error}", hint=hint) from error
        match record:
            case {"version": 1, "keys": dict()}:
                rows = cast("dict[str, dict[str, object]]", record)["keys"]
            case {"version": int(version)} if version > VERSION:
                raise StateError(f"{self.file} is of a newer aisbx (version {version})", hint="update aisbx-core")
            case _:
                raise StateError(f"{self.file} holds no keys (version {VERSION})", hint=hint)
        return {key_id: _key(key_id, row, self.file, hint) for key_id, row in rows.items()}

    def _write(self, keys: Mapping[str, Key]) -> None:
        rows = {key.id: {name: value for name, value in asdict(key).items() if name != "id"} for key in keys.values()}
        data = (json.dumps({"version": VERSION, "keys": rows}, indent=1) + "\n").encode("ascii")
        if len(data) > LARGEST:
            raise StateError(f"{self.file} would be larger than {LARGEST} bytes", hint="revoke keys: they go in time")
        write_own(self.file, data)


def _looks(file: Path) -> tuple[int, ...]:
    """Give what changes whenever the file is replaced."""
    try:
        found = os.stat(file)
    except OSError:
        return ()  # reading it says what is wrong
    return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_mode, found.st_uid)


def _ended(key: Key) -> float:
    return min((when for when in (key.expires, key.revoked) if when), default=float("inf"))


def _key(key_id: str, row: object, file: Path, hint: str) -> Key:
    """Read one entry; one that is not as we write it makes the whole file suspect."""
    table = cast("dict[str, object]", row) if isinstance(row, dict) else {}
    scopes = table.get("scopes")
    texts = {name: table.get(name) for name in _TEXTS}
    times = {name: table.get(name) for name in _TIMES}
    if (
        set(table) == {"scopes", *_TEXTS, *_TIMES}
        and isinstance(scopes, list)
        and all(scope in SCOPES for scope in cast("list[object]", scopes))
        and all(isinstance(value, str) for value in texts.values())
        and all(type(value) is int and value >= 0 for value in times.values())
        and re.fullmatch(r"[0-9a-f]{64}", str(texts["sha256"]))
        and texts["mode"] in {"", "rw", "ro", "cow", "guarded"}
    ):
        return Key(id=key_id, scopes=tuple(cast("list[str]", scopes)), **texts, **times)  # pyright: ignore[reportArgumentType]  (just seen)
    raise StateError(f"{file}: the entry {key_id[:12]!r} is damaged", hint=hint)
