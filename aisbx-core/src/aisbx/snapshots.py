"""The snapshots of one sandbox on disk: a private directory each, below the sandbox's own.

`snapshot.json` is for people and for later versions, and comes last: a directory without it is half made. `kept` in it
is the driver's own.
"""

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from aisbx.errors import StateError
from aisbx.paths import ensure_private, write_own
from aisbx.store import checked

FORMAT = 1
_RECORD, _KEPT = "snapshot.json", "kept"


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One snapshot; `created` is in seconds since the epoch."""

    tag: str
    created: float
    principal: str
    mechanism: str
    """How it was taken: `overlay` in constant time; `reflink` or `copy` while commands ran."""
    format: int = FORMAT


class Shelf:
    """All snapshots of a sandbox. To change them its directory must be held, see `Store.hold`."""

    def __init__(self, place: Path) -> None:
        """`place` is the sandbox's directory; nothing is made until it is needed."""
        self._root = place / "snapshots"

    def all(self) -> list[Snapshot]:
        """Give those that are whole, the oldest first; StateError where one cannot be read."""
        found = [self._read(tag) for tag in self._names() if (self._root / tag / _RECORD).exists()]
        return sorted(found, key=lambda snapshot: snapshot.created)

    def kept(self, tag: str) -> Path:
        """Give what the driver kept of a snapshot; StateError where there is none."""
        if not (self._root / checked(tag) / _RECORD).exists():
            raise StateError(f"there is no snapshot {tag!r}", hint="see: aisbx snapshot ls NAME")
        return self._root / tag / _KEPT

    def begin(self, tag: str) -> tuple[str, Path]:
        """Make the directory of a new one; gives its tag, a number if none is wanted, and where the driver keeps it."""
        names = self._names()
        numbers = [int(name) for name in names if name.isdecimal()]
        tag = checked(tag or str(max(numbers, default=0) + 1))
        if tag in names:
            hint = f"aisbx snapshot rm NAME {tag}, or another tag"
            raise StateError(f"there is a snapshot {tag!r} already", hint=hint)
        ensure_private(self._root)
        return tag, ensure_private(self._root / tag / _KEPT)

    def finish(self, snapshot: Snapshot) -> None:
        """Write down one that is whole."""
        write_own(self._root / snapshot.tag / _RECORD, json.dumps(asdict(snapshot), indent=2).encode() + b"\n")

    def remove(self, tag: str) -> None:
        """Remove one; first of all what makes it a snapshot."""
        (self._root / tag / _RECORD).unlink(missing_ok=True)
        shutil.rmtree(self._root / tag)

    def clear(self) -> None:
        """Remove what was never finished: whoever made it is gone, for the sandbox's directory is held."""
        for tag in self._names():
            if not (self._root / tag / _RECORD).exists():
                self.remove(tag)

    def _names(self) -> list[str]:
        try:
            return sorted(entry.name for entry in self._root.iterdir())
        except FileNotFoundError:
            return []

    def _read(self, tag: str) -> Snapshot:
        path = self._root / tag / _RECORD
        try:
            row = json.loads(path.read_bytes())
            if row["format"] == FORMAT:
                return Snapshot(**row)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StateError(f"{path} cannot be read: {error}", hint="look at it by hand") from error
        raise StateError(f"{path} is of another version of aisbx", hint="use the version that made it")
