"""Find the Python that people have: a venv, pyenv's, uv's, the system's, in this order.

What is there but may not or cannot be used is an error, not a reason to look further: another interpreter would run
the program with other packages, and nobody would know why.
"""

import os

from aisbx.errors import ProfileError
from aisbx.inputs import Inputs
from aisbx.places import within
from aisbx.toolchains import managers, venv
from aisbx.toolchains.found import BIN, Toolchain
from aisbx.toolchains.prefix import SYSTEM, Prefix, checked, from_bin
from aisbx.types import Mount

VENVS = (".venv", "venv")
SYSTEM_PATH = ("/usr/local/bin", "/usr/bin")

# Links that the runtime has anyway, on systems with a merged /usr.
_MERGED = frozenset({"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"})


def find(workspace: str | None, inputs: Inputs) -> Toolchain:
    """Give the mounts, PATH and links for the first Python in the order above."""
    for name in VENVS if workspace else ():
        if found := venv.in_workspace(name, workspace or "", inputs):
            return _from_venv(found, workspace, inputs)
    if named := inputs.env("VIRTUAL_ENV"):
        why = f"VIRTUAL_ENV={named}"
        found = venv.named(named, workspace, inputs, why=why) if named.startswith("/") else None
        if found is None:
            raise ProfileError(f"{why} is not a virtual environment", hint="deactivate it")
        return _from_venv(found, workspace, inputs)
    return _managed(workspace, inputs) or _system(inputs)


def _managed(workspace: str | None, inputs: Inputs) -> Toolchain | None:
    """Look at pyenv and uv; None where the system's Python is asked for, or nothing and neither has one."""
    versions, who = managers.wanted(workspace, inputs)
    for version in versions:
        if version == "system":
            return None
        if directory := managers.pyenv(version, inputs):
            return _from_prefix(directory, f"pyenv's {version} ({who})", workspace, inputs)
        if directory := managers.uv(version, inputs):
            return _from_prefix(directory, f"uv's {version} ({who})", workspace, inputs)
    if versions:
        message = f"asks for Python {', '.join(versions)}, which neither pyenv nor uv has installed"
        raise ProfileError(message, file=who, hint=f"pyenv install {versions[0]}, or change that file or variable")
    directory = managers.uv("", inputs)
    return _from_prefix(directory, "uv's newest", workspace, inputs) if directory else None


def _system(inputs: Inputs) -> Toolchain:
    for directory in SYSTEM_PATH:
        interpreter = os.path.join(directory, "python3")
        inputs.note(interpreter)
        if os.path.exists(interpreter):
            trail = checked(interpreter, inputs, None, why="the system's Python")
            return _toolchain(Prefix(SYSTEM, trail.real, trail.links), directory, {}, "the system's Python", inputs)
    raise ProfileError(
        f"no Python was found: not in .venv or venv, VIRTUAL_ENV, {managers.pyenv_root(inputs)}, uv's directory, "
        f"nor {' or '.join(SYSTEM_PATH)}",
        key="toolchains",
        hint="install python3",
    )


def _from_prefix(directory: str, what: str, workspace: str | None, inputs: Inputs) -> Toolchain:
    # pyenv-virtualenv keeps venvs among the versions.
    if found := venv.named(directory, workspace, inputs, why=what):
        return _from_venv(found, workspace, inputs)
    real = checked(directory, inputs, workspace, why=what)
    prefix = from_bin(os.path.join(real.real, "bin"), inputs, workspace, why=what)
    return _toolchain(prefix, os.path.join(prefix.path, "bin"), {}, what, inputs)


def _from_venv(found: venv.Venv, workspace: str | None, inputs: Inputs) -> Toolchain:
    own = () if workspace and within(found.path, workspace) else (_mount(found.path, "the venv"),)
    base = _toolchain(found.base, os.path.join(found.path, "bin"), found.links, f"the venv {found.path}", inputs)
    # Links in the workspace are there already, inside as well.
    links = {link: target for link, target in base.links.items() if not (workspace and within(link, workspace))}
    return Toolchain((*own, *base.mounts), base.path, links, {"VIRTUAL_ENV": found.path}, base.notes)


def _toolchain(prefix: Prefix, directory: str, more: dict[str, str], what: str, inputs: Inputs) -> Toolchain:
    """Show a prefix, with `directory` first in PATH and both names, `python` and `python3`, in reach."""
    mounts: tuple[Mount, ...] = () if prefix.system else (_mount(prefix.path, "python"),)
    shown = (SYSTEM, prefix.path, os.path.dirname(directory))
    links = {
        link: target
        for link, target in {**prefix.links, **more}.items()
        if link not in _MERGED and not any(within(link, root) for root in shown)
    }
    path = () if within(directory, SYSTEM) else (directory,)
    for name, other in (("python", "python3"), ("python3", "python")):
        inputs.note_link(os.path.join(directory, name))
        if not os.path.lexists(os.path.join(directory, name)):
            links[f"{BIN}/{name}"] = os.path.join(directory, other)
            path = (*path, BIN)
    return Toolchain(mounts, path, links, {}, (f"python: {what} ({prefix.interpreter})",))


def _mount(path: str, what: str) -> Mount:
    return Mount(path, path, origin=f"toolchain {what}")
