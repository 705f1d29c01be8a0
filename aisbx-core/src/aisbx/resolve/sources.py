"""What the mounts of a spec really are: the real path of each source, what it shows, and where it is put.

The rules for mounts are about what is on disk, and one thing can have several names: links, bind mounts of the host,
the directory above. Unlike the rest of `resolve`, this looks at the host.
"""

import os
import stat
from collections.abc import Sequence
from dataclasses import replace

from aisbx.caches import ORIGIN as CACHE
from aisbx.errors import UsageError
from aisbx.inputs import Inputs
from aisbx.locate import locate
from aisbx.places import within
from aisbx.regions import MountTable, Shown
from aisbx.resolve.mounts import AGAIN, HINT, HOME, OURS, check_source, refuse_source
from aisbx.types import Mount, SandboxSpec


def real_sources(spec: SandboxSpec, own_dirs: Sequence[str], inputs: Inputs) -> SandboxSpec:
    """Give the spec with the real path of each mount's source.

    UsageError for a source that is not there, or that shows by another name what no sandbox gets; and for a target
    that would have to be made in a directory of the host.
    """
    if not spec.mounts:
        return spec
    mounts = tuple(_real(mount, inputs) for mount in spec.mounts)
    table = MountTable()
    own = [table.shown(path, inputs) for path in own_dirs]
    home = table.shown(spec.identity.home, inputs)
    workspace = table.shown(spec.workspace.path, inputs) if spec.workspace else None
    for named, mount in zip(spec.mounts, mounts, strict=True):
        if mount.origin == CACHE:
            continue  # the one directory of our own that is for a sandbox
        check_source(mount, spec.workspace, spec.identity, own_dirs, named.source)
        source = table.shown(mount.source, inputs)
        if any(source.meets(each) for each in own):
            raise refuse_source(mount, named.source, *OURS)
        if mount.writable:
            _check_writable(mount, named.source, source, home, workspace)
    spec = replace(spec, mounts=mounts)
    for mount in mounts:
        _check_point(mount, spec, inputs)
    return spec


def _real(mount: Mount, inputs: Inputs) -> Mount:
    place, _ = locate(mount.source, inputs)
    try:
        os.stat(place.path)
    except OSError as error:
        message = f"{mount.source} cannot be mounted ({mount.origin}): {error.strerror}"
        raise UsageError(message, hint="make it first, or correct the path") from error
    return replace(mount, source=place.path)


def _check_writable(mount: Mount, named: str, source: Shown, home: Shown, workspace: Shown | None) -> None:
    if source.holds(home):
        raise refuse_source(mount, named, *HOME)
    if workspace is not None and source.meets(workspace):
        raise refuse_source(mount, named, *AGAIN)


def _check_point(mount: Mount, spec: SandboxSpec, inputs: Inputs) -> None:
    """See that a target in another mount or in the workspace is there and no link.

    What the tool would make there is made on the host, and stays; a link could lead it anywhere.
    """
    around = {other.target: other.source for other in spec.mounts if other.target != mount.target}
    if spec.workspace is not None:
        around[spec.workspace.path] = spec.workspace.path
    over = max((target for target in around if within(mount.target, target)), key=len, default=None)
    if over is None:
        return
    path = around[over]
    found = os.stat(path)
    for name in mount.target[len(over) :].strip("/").split("/"):
        path = os.path.join(path, name)
        try:
            found = os.lstat(path)
        except OSError as error:
            why = f"{path} is not there, and what is made there would stay"
            raise _no_point(mount, why, f"make it yourself, or {HINT}") from error
        if stat.S_ISLNK(found.st_mode):
            raise _no_point(mount, f"{path} is a link", HINT)
    if stat.S_ISDIR(found.st_mode) != os.path.isdir(mount.source):
        raise _no_point(mount, f"of {mount.source} and {path} one is a directory and one is not", HINT)
    inputs.note_link(path)  # a link in its place, made by a run, makes the plan stale


def _no_point(mount: Mount, why: str, hint: str) -> UsageError:
    return UsageError(f"nothing can be mounted at {mount.target} ({mount.origin}): {why}", hint=hint)
