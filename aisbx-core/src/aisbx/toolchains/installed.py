"""Installed toolchains: whether a directory really is one, and may be shown to a sandbox. Nothing is executed."""

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass

from aisbx.errors import ProfileError
from aisbx.inputs import Inputs
from aisbx.places import forbidden, within
from aisbx.toolchains.found import Toolchain
from aisbx.toolchains.prefix import SYSTEM, checked
from aisbx.types import Mount

SYSTEM_PATH = ("/usr/local/bin", "/usr/bin")


@dataclass(frozen=True, slots=True)
class Kind:
    """What a toolchain looks like: `program` in its `bin`, and `landmarks`, plain files of which one is there."""

    name: str
    program: str
    landmarks: tuple[str, ...]

    def at(self, directory: str, inputs: Inputs, workspace: str | None, *, why: str) -> Toolchain:
        """Show the toolchain in `directory`, by its real path.

        ProfileError that begins with `why` where there is none, others could change it, or it is no place to be shown.
        """
        prefix = checked(directory, inputs, workspace, why=why).real
        program = os.path.join(prefix, "bin", self.program)
        checked(program, inputs, workspace, why=why)
        inputs.note(program)
        if not within(prefix, SYSTEM):
            self._inspect(prefix, inputs, workspace, why)
        return shown(prefix, f"toolchain {self.name}", f"{self.name}: {why} ({program})")

    def of_program(self, program: str, inputs: Inputs, workspace: str | None, *, why: str) -> Toolchain:
        """Show the toolchain that a program, through whatever links, belongs to."""
        real = checked(program, inputs, workspace, why=why).real
        prefix = os.path.dirname(os.path.dirname(real))
        if within(real, SYSTEM) and not os.path.lexists(os.path.join(prefix, "bin", self.program)):
            # As distributions lay them out: on the system's own path, with the rest where they like.
            return Toolchain(notes=(f"{self.name}: {why} ({real})",))
        return self.at(prefix, inputs, workspace, why=why)

    def _inspect(self, prefix: str, inputs: Inputs, workspace: str | None, why: str) -> None:
        if reason := forbidden(prefix, inputs, toolchain=True):
            raise ProfileError(f"{why}: {prefix} may not be shown to a sandbox: it {reason}")
        if workspace and (within(workspace, prefix) or within(prefix, workspace)):
            raise ProfileError(f"{why}: {prefix} and the workspace contain each other", hint="keep projects out of it")
        program = os.path.join("bin", self.program)
        if not _plain(prefix, program, inputs) or not any(_plain(prefix, name, inputs) for name in self.landmarks):
            needed = " or ".join(self.landmarks)
            message = f"{why}: {prefix} is not an installed {self.name} (no {program} with {needed})"
            raise ProfileError(message, hint="install it anew, or use another")


def shown(prefix: str, origin: str, note: str = "") -> Toolchain:
    """Give a checked prefix as mount and path; nothing of the system's needs a mount."""
    mounts = () if within(prefix, SYSTEM) else (Mount(prefix, prefix, origin=origin),)
    directory = os.path.join(prefix, "bin")
    path = () if directory in (*SYSTEM_PATH, "/usr/sbin") else (directory,)
    return Toolchain(mounts, path, notes=(note,) if note else ())


def on_path(name: str, inputs: Inputs, workspace: str | None, *, also: Sequence[str] = ()) -> str:
    """Give the program that the user's PATH finds under this name, then the system's; "" where there is none.

    Passed over are directories of the workspace, which is repository input, and the stand-ins of version managers: a
    directory called `shims`, or a link to a program of another name (but those in `also`).
    """
    directories = [entry for entry in (inputs.env("PATH") or "").split(":") if entry.startswith("/")]
    for directory in dict.fromkeys((*directories, *SYSTEM_PATH)):
        where = os.path.normpath(directory)
        if os.path.basename(where) == "shims" or (workspace and within(where, workspace)):
            continue
        program = os.path.join(where, name)
        inputs.note(program)
        if not os.path.isfile(program) or not os.access(program, os.X_OK):
            continue
        real = os.path.realpath(program)
        if os.path.basename(real) in {name, *also} and not (workspace and within(real, workspace)):
            return program
    return ""


def own_tools(directory: str, inputs: Inputs, workspace: str | None) -> Toolchain:
    """Show a directory of programs that the user installed (`~/go/bin`), last in PATH; nothing where there is none."""
    inputs.note_link(directory)
    if not os.path.isdir(directory):
        return Toolchain()
    why = f"the programs in {directory}"
    real = checked(directory, inputs, workspace, why=why).real
    if forbidden(real, inputs, toolchain=True) or within(real, SYSTEM) or (workspace and within(real, workspace)):
        return Toolchain()
    return Toolchain((Mount(real, real, origin=why),), (real,))


def _plain(prefix: str, name: str, inputs: Inputs) -> bool:
    path = os.path.join(prefix, name)
    inputs.note(path)
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False
