"""What caches there are: whose, how large, when they were last used, and whether anybody can still use them."""

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from aisbx.audit.read import Record
from aisbx.caches.kept import FOLDER
from aisbx.caches.owner import Owner, read_owner
from aisbx.caches.tree import Size, measure
from aisbx.caches.use import in_use
from aisbx.errors import StateError


@dataclass(frozen=True, slots=True)
class Cache:
    """One directory below `projects`; `owner` is None where nothing says whose it is."""

    path: Path
    owner: Owner | None
    size: Size
    last_used: float
    """Seconds since the epoch: the last run that had it, or the last change in it."""
    in_use: bool
    gone: bool

    @property
    def state(self) -> str:
        """Say in a word what keeps it or lets it go."""
        if self.in_use:
            return "in use"
        if self.owner is None:
            return "unknown"
        return "gone" if self.gone else "kept"

    def as_record(self) -> dict[str, object]:
        """Give the cache in the form that `--json` shows."""
        return {
            "name": self.path.name,
            "path": str(self.path),
            "project": self.owner.workspace if self.owner else None,
            "profiles": list(self.owner.profiles) if self.owner else [],
            "bytes": self.size.bytes,
            "entries": self.size.entries,
            "complete": self.size.complete,
            "last_used": self.last_used,
            "state": self.state,
        }


def inventory(root: Path, records: Iterable[Record]) -> list[Cache]:
    """List the caches in aisbx's cache directory `root`, the longest unused first; `records` are the audit log's.

    StateError where the directory cannot be read or is not what we made.
    """
    folder = root / FOLDER
    names = _names(folder)
    owners = {name: read_owner(root, name) for name in names}
    used = _used(owners.values(), records)
    busy = in_use(folder) if names else frozenset[str]()
    caches: list[Cache] = []
    for name in names:
        size, owner = measure(str(folder / name)), owners[name]
        last = max(size.changed, used.get(owner, 0.0)) if owner else size.changed
        caches.append(Cache(folder / name, owner, size, last, name in busy, owner is not None and owner.gone()))
    return sorted(caches, key=lambda cache: (cache.last_used, cache.path.name))


def _names(folder: Path) -> list[str]:
    """Give the names of the directories; what else lies there is none of ours and stays."""
    try:
        if stat.S_ISLNK(os.lstat(folder).st_mode):
            raise StateError(f"{folder} is not a directory of its own", hint="move it away")
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StateError(f"{folder} cannot be read: {error.strerror}") from error


def _used(owners: Iterable[Owner | None], records: Iterable[Record]) -> dict[Owner, float]:
    """Give the end of the last run of each owner that the log knows; a run's restrictions do not count."""
    of: dict[str, list[Owner]] = {}
    for owner in owners:
        if owner:
            of.setdefault(owner.workspace, []).append(owner)
    last: dict[Owner, float] = {}
    for record in records:
        for owner in of.get(record.text("workspace"), ()):
            if set(owner.profiles) <= set(record.text("profile").split("+")):
                took = record.data.get("duration")
                ended = record.time + (float(took) if isinstance(took, (int, float)) else 0.0)
                last[owner] = max(last.get(owner, 0.0), ended)
    return last
