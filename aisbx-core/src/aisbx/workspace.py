"""Which directory a run is about, and the ones that it may never be."""

import os
import stat

from aisbx.errors import PolicyError, WorkspaceError
from aisbx.inputs import Inputs
from aisbx.locate import locate
from aisbx.paths import cache_dir, config_dir, home, own_dirs, state_dir
from aisbx.places import forbidden, never, within
from aisbx.regions import MountTable
from aisbx.types import Profile, RunRequest, Workspace, WorkspaceMode

MODES = (WorkspaceMode.RO, WorkspaceMode.COW, WorkspaceMode.GUARDED, WorkspaceMode.RW)
"""From the narrowest: never written, written after review, written but for what is dangerous, written."""

_ELSEWHERE = "go into a project's directory, or name one with --workspace DIR"


def place(request: RunRequest, inputs: Inputs) -> str:
    """Give the real path of what a request names as workspace: `--workspace`, else the directory the caller is in.

    WorkspaceError for one that may not be one (see `aisbx.places`) by whatever name, or that is no directory. Where it
    shows what aisbx keeps, an earlier run can have written that; so this is asked before any of it is read or made.
    """
    named = _named(request)
    path = _real(named, inputs)
    if why := forbidden(path, inputs) or _by_another_name(path, inputs):
        shown = path if path == os.path.normpath(named) else f"{named} (really {path})"
        raise WorkspaceError(f"{shown} may not be a workspace: it {why}", hint=_ELSEWHERE)
    return path


def shows(request: RunRequest, directory: str, inputs: Inputs) -> bool:
    """Tell whether a run can have written to a directory of ours: the workspace of this request shows it, by any name.

    Not in what no run of anybody's ever had as its workspace.
    """
    path = os.path.realpath(_named(request))
    if never(path):
        return False
    place, links = locate(directory, Inputs({}))
    if any(within(each.path, path) for each in (place, *links)):
        return True
    try:
        table = MountTable()
        return table.shown(path, inputs).meets(table.shown(directory, Inputs({})))
    except PolicyError:
        return True  # that can't be told


def choose(request: RunRequest, profile: Profile, inputs: Inputs) -> Workspace:
    """Give the workspace of a request, with its mode.

    WorkspaceError as for `place`, and where the user cannot use it in the mode asked for; PolicyError where a
    restriction of the profile excludes that mode.
    """
    path = place(request, inputs)
    mode = _mode(request, profile)
    _check_access(path, mode)
    return Workspace(path, mode)


def _named(request: RunRequest) -> str:
    return os.path.join(request.cwd, request.workspace.path) if request.workspace else request.cwd


def _by_another_name(path: str, inputs: Inputs) -> str:
    """Say what a real path shows by a bind mount of the host, or leads to by a link in it; "" for nothing of ours.

    PolicyError where that can't be told.
    """
    looked = Inputs({})  # our own directories need not be there yet, and that they come makes no plan stale
    for directory in (config_dir(inputs), state_dir(inputs), cache_dir(inputs)):
        if any(within(link.path, path) for link in locate(str(directory), looked)[1]):
            return f"holds a link that leads to aisbx's own {directory}"
    try:
        table = MountTable()
    except PolicyError:
        return ""  # no /proc: no sandbox can be made either, and the driver says what to do about that
    workspace = table.shown(path, looked)
    for own in own_dirs(inputs):
        if workspace.meets(table.shown(own, looked)):
            return f"shows aisbx's own {own} by another name"
    mine = os.path.realpath(home(inputs))
    if workspace.holds(table.shown(mine, looked)):
        return f"shows the home directory {mine} by another name"
    return ""


def _real(named: str, inputs: Inputs) -> str:
    """Resolve every link on the way, and note each: the directory itself changes with every run."""
    if "\0" in named:
        raise WorkspaceError("a path cannot contain a NUL byte", hint=_ELSEWHERE)
    for part in _ancestry(os.path.abspath(named)):
        if os.path.islink(part):
            inputs.note_link(part)
    try:
        path = os.path.realpath(named, strict=True)
        found = os.stat(path)
    except OSError as error:
        raise WorkspaceError(f"{named} cannot be used: {error.strerror}", hint=_ELSEWHERE) from error
    if not stat.S_ISDIR(found.st_mode):
        raise WorkspaceError(f"{named} is not a directory", hint=_ELSEWHERE)
    return path


def _ancestry(path: str) -> list[str]:
    parts = [path]
    while (parent := os.path.dirname(parts[-1])) != parts[-1]:
        parts.append(parent)
    return parts


def _mode(request: RunRequest, profile: Profile) -> WorkspaceMode:
    ceiling = profile.ceiling.workspace_mode if profile.ceiling else None
    asked = request.workspace.mode if request.workspace else None
    if asked and ceiling and MODES.index(asked) > MODES.index(ceiling):
        raise PolicyError(
            f"the profile {profile.name} allows the workspace as {ceiling.value} at most, not {asked.value}",
            hint=f"ask for :{ceiling.value}, or leave out the restriction",
        )
    return asked or profile.workspace_mode or WorkspaceMode.RW


def _check_access(path: str, mode: WorkspaceMode) -> None:
    effective = os.access in os.supports_effective_ids
    if not os.access(path, os.R_OK | os.X_OK, effective_ids=effective):
        raise WorkspaceError(f"{path} cannot be read by you", hint=_ELSEWHERE)
    if mode is not WorkspaceMode.RO and not os.access(path, os.W_OK, effective_ids=effective):
        whose = "" if not hasattr(os, "geteuid") else f" (it belongs to uid {os.stat(path).st_uid})"
        raise WorkspaceError(f"{path} cannot be written by you{whose}", hint=f"use --workspace {path}:ro")
