"""Whose a cache is: a note beside it, out of every sandbox's reach. A cache's name tells nobody, it is a hash."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

from aisbx.errors import ConfigError, StateError
from aisbx.inputs import Inputs
from aisbx.paths import ensure_private, read_own, write_own

FOLDER = "owners"
"""Below aisbx's own cache directory."""


@dataclass(frozen=True, slots=True)
class Owner:
    """A project, which is a directory and not only its path, and the profiles that give (restrictions do not count)."""

    workspace: str
    device: int
    inode: int
    uid: int
    gid: int
    profiles: tuple[str, ...]

    def gone(self) -> bool:
        """Tell whether no run can have this cache again, unless the directory comes back."""
        try:
            found = os.lstat(self.workspace)
        except OSError:
            return True
        there = (found.st_dev, found.st_ino, found.st_uid, found.st_gid)
        return there != (self.device, self.inode, self.uid, self.gid)


def note_owner(root: Path, name: str, owner: Owner) -> None:
    """Write the note of the cache `name` in aisbx's cache directory `root`, where it is missing. StateError."""
    path = root / FOLDER / name
    if not os.path.lexists(path):
        ensure_private(path.parent)
        # Names that are not UTF-8 are kept as lone surrogates, which ASCII escapes carry unharmed.
        write_own(path, json.dumps(asdict(owner)).encode("ascii"))


def read_owner(root: Path, name: str) -> Owner | None:
    """Give the owner of a cache; None where there is no note, or none that can be used."""
    try:
        data = read_own(root / FOLDER / name, Inputs())
        note: object = json.loads(data or b"null")
    except (ConfigError, ValueError, RecursionError):
        return None
    match note:
        case {
            "workspace": str(workspace),
            "device": int(device),
            "inode": int(inode),
            "uid": int(uid),
            "gid": int(gid),
            "profiles": list(),
        }:
            profiles = cast("dict[str, list[object]]", note)["profiles"]
            return Owner(workspace, device, inode, uid, gid, tuple(str(profile) for profile in profiles))
        case _:
            return None


def forget_owners(root: Path, caches: Path) -> None:
    """Remove the notes of caches that are no longer there; StateError where that cannot be done.

    A cache is made before its note, so no note of a cache that is being made is taken for one of these.
    """
    folder = root / FOLDER
    try:
        for name in os.listdir(folder):
            if not os.path.lexists(caches / name):
                (folder / name).unlink(missing_ok=True)
    except FileNotFoundError:
        return
    except OSError as error:
        raise StateError(f"{folder} cannot be tidied up: {error.strerror}") from error
