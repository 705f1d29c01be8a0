"""Installed Pythons: whether a directory really is one, and may be shown to a sandbox."""

import os
import re
import stat
from dataclasses import dataclass, field

from aisbx.errors import ProfileError
from aisbx.inputs import Inputs
from aisbx.places import forbidden, within
from aisbx.toolchains.trail import Trail, follow

SYSTEM = "/usr"
"""Always inside as the runtime, so nothing below it needs a mount."""

_VERSION = re.compile(r"python3\.\d{1,3}t?$")
_NAMES = ("python3", "python")


@dataclass(frozen=True, slots=True)
class Prefix:
    """An installed Python: its directory, its interpreter's real path, the links that lead there."""

    path: str
    interpreter: str
    links: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def system(self) -> bool:
        """Say whether it comes with the runtime."""
        return within(self.path, SYSTEM)


def from_bin(directory: str, inputs: Inputs, workspace: str | None, *, why: str) -> Prefix:
    """Find the installed Python whose interpreter is in `directory` (a venv's `home`, a prefix's `bin`).

    ProfileError, beginning with `why`, if there is none, others could change it, or it is no place to be shown.
    """
    for name in _NAMES:
        interpreter = os.path.join(directory, name)
        inputs.note(interpreter)
        if os.path.lexists(interpreter):
            return from_interpreter(interpreter, inputs, workspace, why=why)
    raise ProfileError(f"{why}: there is no python3 in {directory}", hint="make it anew, or remove it")


def from_interpreter(interpreter: str, inputs: Inputs, workspace: str | None, *, why: str) -> Prefix:
    """Find the installed Python that an interpreter, through whatever links, belongs to."""
    trail = checked(interpreter, inputs, workspace, why=why)
    prefix = os.path.dirname(os.path.dirname(trail.real))
    found = Prefix(prefix, trail.real, trail.links)
    if found.system:
        return found
    if workspace and within(trail.real, workspace):
        raise ProfileError(
            f"{why}: {interpreter} leads to {trail.real} in the workspace, which is no installed Python",
            hint="make the venv from an installed Python",
        )
    inputs.note(trail.real)
    _is_python(found, inputs, why)
    if reason := forbidden(prefix, inputs, toolchain=True):
        raise ProfileError(f"{why}: {prefix} may not be shown to a sandbox: it {reason}")
    if workspace and within(workspace, prefix):
        raise ProfileError(f"{why}: {prefix} contains the workspace", hint="keep projects out of it")
    return found


def checked(path: str, inputs: Inputs, workspace: str | None, *, why: str) -> Trail:
    """Follow a path whose end must exist; ProfileError that begins with `why`."""
    try:
        return follow(path, inputs, exempt=workspace)
    except OSError as error:
        raise ProfileError(f"{why}: {path}: {error.strerror}", hint="make it anew, or remove it") from error
    except ProfileError as error:
        raise ProfileError(f"{why}: {error.message}", hint=error.hint) from error


def _is_python(found: Prefix, inputs: Inputs, why: str) -> None:
    """Demand the landmarks that CPython itself looks for (Modules/getpath.py: `lib/pythonX.Y/os.py`).

    Without this a planted `home = /home/me/bin` would have the whole of /home/me mounted.
    """
    name = os.path.basename(found.interpreter)
    library = os.path.join(found.path, "lib")
    version = name if _VERSION.match(name) else _only_version(library)
    landmark = os.path.join(library, version, "os.py")
    inputs.note(landmark)
    in_bin = os.path.basename(os.path.dirname(found.interpreter)) == "bin"
    try:
        executable = os.stat(found.interpreter)
        plain = stat.S_ISREG(os.lstat(landmark).st_mode) and stat.S_ISREG(executable.st_mode)
    except OSError:
        plain = False
    if not version or not in_bin or not plain:
        raise ProfileError(f"{why}: {found.path} is not an installed Python (no bin/python3 with lib/python3.*/os.py)")


def _only_version(library: str) -> str:
    """Give the one `python3.X` in `lib`, for interpreters that are called `python3` only."""
    try:
        names = [name for name in os.listdir(library) if _VERSION.match(name)]
    except OSError:
        return ""
    return names[0] if len(names) == 1 else ""
