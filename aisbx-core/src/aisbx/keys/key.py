"""One key: what is handed out once, and what is kept of it.

What is handed out is `aisbx_ID_SECRET`. The secret is 256 random bits, so a plain SHA-256 is all that has to be kept:
nobody searches through 2^256 secrets, and a slow hash would only help whoever wants to keep the host busy.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from aisbx.types import Principal, WorkspaceMode, WorkspaceRequest

SCOPES = ("run", "files", "admin")
"""What a key may do: run commands; read and write files; see and end what is other principals'."""
_WRITTEN = re.compile(r"aisbx_([0-9a-f]{12})_([A-Za-z0-9_-]{43})", re.ASCII)
_NOBODY = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What is kept of a key. Times are seconds since the epoch; `expires` 0 is never, `revoked` 0 not yet."""

    id: str
    name: str
    sha256: str
    scopes: tuple[str, ...]
    created: int
    expires: int = 0
    revoked: int = 0
    workspace: str = ""
    """A directory of the host that its sandboxes work in; empty: what the host gives."""
    mode: str = ""
    profile: str = ""

    @property
    def principal(self) -> Principal:
        """Who has this key."""
        mode = WorkspaceMode(self.mode) if self.mode else None
        workspace = WorkspaceRequest(self.workspace, mode) if self.workspace else None
        return Principal(f"key:{self.id}", frozenset(self.scopes), workspace=workspace, profile=self.profile)

    def state(self, now: float) -> str:
        """Give `active`, `expired` or `revoked`."""
        if self.revoked:
            return "revoked"
        return "expired" if self.expires and now >= self.expires else "active"

    def as_record(self) -> dict[str, object]:
        """Give what may be told of it: everything but the hash."""
        record: dict[str, object] = asdict(self)
        del record["sha256"]
        return record


def new_id() -> str:
    """Give an id that nobody has: 48 random bits."""
    return secrets.token_hex(6)


def new_secret(key_id: str) -> tuple[str, str]:
    """Give what is handed out for a key, and its hash."""
    written = f"aisbx_{key_id}_{secrets.token_urlsafe(32)}"
    return written, digest(written)


def digest(written: str) -> str:
    """Give the hash that is kept of what was handed out."""
    return hashlib.sha256(written.encode(errors="surrogatepass")).hexdigest()


def matching(written: str, keys: Mapping[str, Key]) -> Key | None:
    """Give the key that this is, in a time that does not tell how much of it is right."""
    found = _WRITTEN.fullmatch(written)
    key = keys.get(found[1]) if found else None
    same = hmac.compare_digest(digest(written), key.sha256 if key else _NOBODY)
    return key if same else None
