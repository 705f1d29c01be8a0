"""Gives a run its cache: a directory for each project and profile, `/var/cache` inside.

Whoever can write a cache decides what later runs take out of it. So no two projects share one, nor two profiles of one
project, and nothing outside of a sandbox ever reads it.
"""

import hashlib
import json
import os
import stat
from pathlib import Path

from aisbx.caches.owner import Owner, note_owner
from aisbx.errors import StateError
from aisbx.paths import ensure_private
from aisbx.types import Mount, Profile, Workspace, WorkspaceMode

INSIDE = "/var/cache"
FOLDER = "projects"
"""Below aisbx's own cache directory."""
ORIGIN = "the cache of this project and profile"


def kept_cache(profile: Profile, workspace: Workspace | None, root: Path) -> Mount | None:
    """Make the cache of a project and profile where there is none yet, and give it as a writable mount.

    `root` is aisbx's own cache directory.
    None where the profile keeps none, and for a workspace that is not live: what a run leaves behind there is thrown
    away or reviewed, and nobody reviews a cache. StateError where it can't be made, or is not what we made.
    """
    if not profile.cache or workspace is None or workspace.mode is not WorkspaceMode.RW:
        return None
    found = os.stat(workspace.path)
    for directory in (root, root / FOLDER):
        ensure_private(directory)
    owner = Owner(workspace.path, found.st_dev, found.st_ino, found.st_uid, found.st_gid, _giving(profile))
    name = _name(owner)
    path = str(root / FOLDER / name)
    _make(path, found)
    note_owner(root, name, owner)
    return Mount(os.path.realpath(path), INSIDE, writable=True, origin=ORIGIN)


def _giving(profile: Profile) -> tuple[str, ...]:
    """Give the names that count, sorted: `go-dev+offline` uses what `go-dev` has fetched."""
    restrictions = set(profile.ceiling.name.split("+")) if profile.ceiling else set[str]()
    return tuple(sorted(set(profile.name.split("+")) - restrictions))


def _name(owner: Owner) -> str:
    """Give a name for what the cache belongs to: another directory at the same path is another project."""
    project = (owner.workspace, owner.device, owner.inode, owner.uid, owner.gid)
    return hashlib.sha256(json.dumps([project, owner.profiles]).encode()).hexdigest()[:32]


def _make(path: str, project: os.stat_result) -> None:
    """Make the directory for the project's owner: run by root, the inside writes as that account."""
    by_root = hasattr(os, "geteuid") and os.geteuid() == 0
    try:
        try:
            os.mkdir(path, 0o700)
            if by_root:
                os.chown(path, project.st_uid, project.st_gid, follow_symlinks=False)
        except FileExistsError:
            pass
        there = os.lstat(path)
    except OSError as error:
        raise StateError(f"{path} cannot be made: {error.strerror}", hint="check HOME and XDG_CACHE_HOME") from error
    owner = project.st_uid if by_root else there.st_uid
    if not stat.S_ISDIR(there.st_mode) or there.st_uid != owner:
        raise StateError(f"{path} is not the cache that aisbx made", hint="remove it; it is made anew")
