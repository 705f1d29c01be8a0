"""The root directory of a spec as it is on disk: whose it is, and that it shows nothing of what no sandbox gets."""

import os
import stat
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath

from aisbx.errors import UsageError
from aisbx.inputs import Inputs
from aisbx.locate import locate
from aisbx.ownership import weakness
from aisbx.places import never
from aisbx.regions import MountTable
from aisbx.types import SandboxSpec

_RUNTIME = ("usr", "bin")
_MAKE = "make one: aisbx init --rootfs DIR"
_ELSEWHERE = "make one elsewhere: aisbx init --rootfs DIR"


def real_rootfs(spec: SandboxSpec, own_dirs: Sequence[str], inputs: Inputs) -> SandboxSpec:
    """Give the spec with the real path of its root directory.

    UsageError for one that is not there or has no programs, that others can change, the command itself among them, or
    that shows the user's home or what is aisbx's own.
    """
    if not spec.rootfs:
        return spec
    place, _ = locate(spec.rootfs, inputs)
    path = place.path
    shown = path if path == spec.rootfs else f"{spec.rootfs} (really {path})"
    if why := _unfit(path, inputs):
        raise UsageError(f"{shown} is no root directory: {why}", hint=_MAKE)
    table = MountTable()
    view = table.shown(path, inputs)
    if any(view.meets(table.shown(own, inputs)) for own in own_dirs):
        raise UsageError(f"{shown} cannot be the root directory: it shows aisbx's own files", hint=_ELSEWHERE)
    if never(path) or view.holds(table.shown(spec.identity.home, inputs)):
        raise UsageError(f"{shown} cannot be the root directory: it is or holds a home", hint=_ELSEWHERE)
    written = [mount.source for mount in spec.mounts if mount.writable]
    written += [spec.workspace.path] if spec.workspace else []
    for source in written:
        if view.meets(table.shown(source, inputs)):
            why = f"shows {source}, which the command is given"
            raise UsageError(f"{shown} cannot be the root directory: it {why}", hint=_ELSEWHERE)
    return replace(spec, rootfs=path)


def _unfit(path: str, inputs: Inputs) -> str:
    """Say why a directory is no system to run on, or can be changed by others; "" where neither is so."""
    if path == os.sep:
        return "it is the host's own, which is what there is without it"
    try:
        found = os.lstat(path)
        names = set(os.listdir(path)) if stat.S_ISDIR(found.st_mode) else set[str]()
    except OSError as error:
        return f"{error.strerror}"
    if not names & set(_RUNTIME):
        return "there is neither usr nor bin in it"
    inputs.note(path)
    below = [f"{path}/{name}" for name in _RUNTIME if name in names]
    for each in below:
        inputs.note_link(each)
    looked = ((each, weakness(os.lstat(each))) for each in (*map(str, PurePath(path).parents), path, *below))
    return next((f"{each} {weak}" for each, weak in looked if weak), "")
