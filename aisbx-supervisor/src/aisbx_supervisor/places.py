"""Private workspaces: a directory for each sandbox that was given none, which ends with it."""

import logging
import os
import time
from collections.abc import Collection
from pathlib import Path

from aisbx.caches.tree import measure, remove
from aisbx.errors import AisbxError, StateError
from aisbx.paths import ensure_private
from aisbx.plan.run import new_run

_YOUNG = 120.0
"""Seconds for which a directory without a sandbox is left alone: that may be about to be made, or to be removed."""
_GONE = ".gone"
"""Where those are that are being removed. What is deep in them is moved up, and would meet other sandboxes' there."""


class Places:
    """The directories below one."""

    def __init__(self, root: str) -> None:
        """Make nothing yet; `root` empty is /var/tmp/aisbx-supervisor-UID."""
        # Not below ~/.local or the state directory, which may be no workspaces; not in /tmp, which a reboot empties.
        self.root = Path(os.path.realpath(root or f"/var/tmp/aisbx-supervisor-{os.geteuid()}"))
        self._told: set[str] = set()
        """Which cannot be removed, as has been told."""

    def make(self, name: str) -> str:
        """Make one for a sandbox of that name; StateError where it cannot be, or is there."""
        place = ensure_private(self.root) / name
        try:
            place.mkdir(0o700)
        except FileExistsError:
            hint = "destroy that one, or take another name"
            raise StateError(f"the workspace of an earlier sandbox {name!r} is there still", hint=hint) from None
        except OSError as error:
            raise StateError(f"{place} cannot be made: {error.strerror}", hint="see --workspaces") from error
        return str(place)

    def probe(self) -> str:
        """Give a directory as sandboxes have, to see whether one can be; StateError where it cannot be made."""
        return str(ensure_private(ensure_private(self.root) / ".probe"))

    def drop(self, name: str) -> None:
        """Remove one, also what was closed in it; its name is free at once. What stays is left for the next look."""
        place = self.root / name
        try:
            place.chmod(0o700)  # whoever was in there may have closed it, and it is moved by who may write to it
            gone = ensure_private(self.root / _GONE) / new_run()
            place.rename(gone)
            remove(str(gone))
        except FileNotFoundError:
            return  # somebody else was first
        except (OSError, AisbxError) as error:
            self._tell(place, error)

    def sweep(self, used: Collection[str | None]) -> None:
        """Remove those that are not among these paths, which sandboxes work in: a fork works in that of its origin."""
        for entry in _directories(self.root):
            if entry.path not in used and not entry.name.startswith(".") and not _is_young(entry):
                self.drop(entry.name)
        for entry in _directories(self.root / _GONE):  # whoever removed it was killed
            if not _is_young(entry):
                try:
                    remove(entry.path)
                except OSError as error:
                    self._tell(Path(entry.path), error)

    def _tell(self, place: Path, error: Exception) -> None:
        if str(place) not in self._told:
            self._told.add(str(place))
            _log.warning("%s cannot be removed: %s", place, getattr(error, "strerror", None) or error)

    def bytes(self) -> int:
        """Give what all of them hold on disk."""
        return measure(str(self.root)).bytes


def _directories(place: Path) -> "list[os.DirEntry[str]]":
    try:
        return [entry for entry in os.scandir(place) if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []


def _is_young(entry: "os.DirEntry[str]") -> bool:
    try:
        return time.time() - entry.stat(follow_symlinks=False).st_ctime <= _YOUNG
    except FileNotFoundError:
        return True  # its sandbox ended at this moment


_log = logging.getLogger("aisbx")
