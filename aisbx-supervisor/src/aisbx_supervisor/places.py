"""Private workspaces: a directory for each sandbox that was given none, which ends with it."""

import os
import shutil
import time
from collections.abc import Collection
from pathlib import Path

from aisbx.errors import StateError
from aisbx.paths import ensure_private

_YOUNG = 120.0
"""Seconds for which a directory without a sandbox is left alone: that may be about to be made."""


class Places:
    """The directories below one."""

    def __init__(self, root: str) -> None:
        """Make nothing yet; `root` empty is /var/tmp/aisbx-supervisor-UID."""
        # Not below ~/.local or the state directory, which may be no workspaces; not in /tmp, which a reboot empties.
        self.root = Path(os.path.realpath(root or f"/var/tmp/aisbx-supervisor-{os.geteuid()}"))

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
        """Remove one; what cannot be removed is left for the next look."""
        shutil.rmtree(self.root / name, ignore_errors=True)

    def sweep(self, used: Collection[str | None]) -> None:
        """Remove those that are not among these paths, which sandboxes work in: a fork works in that of its origin."""
        try:
            found = list(os.scandir(self.root))
        except FileNotFoundError:
            return
        for entry in found:
            if entry.path in used or entry.name.startswith(".") or not entry.is_dir(follow_symlinks=False):
                continue
            if time.time() - entry.stat(follow_symlinks=False).st_ctime > _YOUNG:
                self.drop(entry.name)

    def bytes(self) -> int:
        """Give what all of them hold on disk."""
        total = 0
        for directory, _, files in os.walk(self.root):
            for name in files:
                try:
                    total += os.lstat(f"{directory}/{name}").st_blocks * 512
                except OSError:
                    continue
        return total
