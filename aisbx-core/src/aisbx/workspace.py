"""Which directory a run is about, and the ones that it may never be."""

import os
import stat

from aisbx.errors import PolicyError, WorkspaceError
from aisbx.inputs import Inputs
from aisbx.places import forbidden
from aisbx.types import Profile, RunRequest, Workspace, WorkspaceMode

MODES = (WorkspaceMode.RO, WorkspaceMode.COW, WorkspaceMode.GUARDED, WorkspaceMode.RW)
"""From the narrowest: never written, written after review, written but for what is dangerous, written."""

_ELSEWHERE = "go into a project's directory, or name one with --workspace DIR"


def choose(request: RunRequest, profile: Profile, inputs: Inputs) -> Workspace:
    """Give the workspace of a request: `--workspace`, else the directory the caller is in, by its real path.

    WorkspaceError for a place that may not be one (see `aisbx.places`), that is no directory, or that the user
    cannot use in the mode asked for; PolicyError where a restriction of the profile excludes that mode.
    """
    named = os.path.join(request.cwd, request.workspace.path) if request.workspace else request.cwd
    path = _real(named, inputs)
    if why := forbidden(path, inputs):
        shown = path if path == os.path.normpath(named) else f"{named} (really {path})"
        raise WorkspaceError(f"{shown} may not be a workspace: it {why}", hint=_ELSEWHERE)
    mode = _mode(request, profile)
    _check_access(path, mode)
    return Workspace(path, mode)


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
