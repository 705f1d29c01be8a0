"""Virtual environments (PEP 405): `pyvenv.cfg` with `home`, the directory of the interpreter it was made from."""

import os
from dataclasses import dataclass

from aisbx.errors import ProfileError
from aisbx.inputs import Inputs
from aisbx.places import forbidden, within
from aisbx.toolchains.prefix import Prefix, checked, from_bin, from_interpreter
from aisbx.toolchains.read import small_file

CONFIG = "pyvenv.cfg"
LARGEST = 64 * 1024


@dataclass(frozen=True, slots=True)
class Venv:
    """A virtual environment: its real path, and the installed Python that it needs beside it."""

    path: str
    base: Prefix
    links: dict[str, str]


def in_workspace(name: str, workspace: str, inputs: Inputs) -> Venv | None:
    """Give the venv called `name` in the workspace; None where there is none. All of it is repository input."""
    path = os.path.join(workspace, name)
    inputs.note_link(path)
    inputs.note(os.path.join(path, CONFIG))
    if not os.path.lexists(os.path.join(path, CONFIG)):
        return None
    real = os.path.realpath(path)
    if not within(real, workspace):
        hint = f"remove the link; to use that venv, set VIRTUAL_ENV={real}"
        raise ProfileError(f"{path} leads out of the workspace, to {real}", hint=hint)
    return _venv(real, workspace, inputs)


def named(path: str, workspace: str | None, inputs: Inputs, *, why: str) -> Venv | None:
    """Give the venv that the user's own environment names; None where the directory is no venv."""
    inputs.note(os.path.join(path, CONFIG))
    if not os.path.lexists(os.path.join(path, CONFIG)):
        return None
    trail = checked(path, inputs, workspace, why=why)
    if reason := forbidden(trail.real, inputs, toolchain=True):
        raise ProfileError(f"{why}: {trail.real} may not be shown to a sandbox: it {reason}")
    if workspace and within(workspace, trail.real):
        raise ProfileError(f"{why}: {trail.real} contains the workspace", hint="keep projects out of it")
    found = _venv(trail.real, workspace, inputs)
    return Venv(found.path, found.base, {**trail.links, **found.links})


def _venv(path: str, workspace: str | None, inputs: Inputs) -> Venv:
    why = f"the venv {path}"
    home = _home(path, inputs)
    base = from_bin(home, inputs, workspace, why=f"{why} ({CONFIG}: home)")
    interpreter = os.path.join(path, "bin", "python3")
    inputs.note(interpreter)
    trail = checked(interpreter, inputs, workspace, why=why)
    links = {**checked(home, inputs, workspace, why=why).links, **trail.links}
    # With --copies the interpreter lies in the venv itself; otherwise it has to be the one that `home` names.
    if not within(trail.real, path):
        real = from_interpreter(interpreter, inputs, workspace, why=why)
        if real.path != base.path:
            message = f"{why}: its interpreter is in {real.path}, but {CONFIG} names {base.path}"
            raise ProfileError(message, hint="make the venv anew")
    return Venv(path, base, links)


def _home(path: str, inputs: Inputs) -> str:
    """Read the `home` key as CPython does: lines of `key = value`, keys in any case (Lib/site.py)."""
    file = os.path.join(path, CONFIG)
    data = small_file(file, LARGEST, inputs, hint="make the venv anew") or b""
    for line in data.decode("utf-8", "surrogateescape").splitlines():
        key, equals, value = line.partition("=")
        if equals and key.strip().lower() == "home":
            home = value.strip()
            if not home.startswith("/") or "\0" in home:
                raise ProfileError("is not an absolute path", file=file, key="home", hint="make the venv anew")
            return home
    raise ProfileError("is missing", file=file, key="home", hint="make the venv anew")
