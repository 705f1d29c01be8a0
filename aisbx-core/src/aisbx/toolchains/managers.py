"""Pythons that pyenv and uv have installed, and how a version is chosen among them. Nothing is executed."""

import os
import re
from pathlib import Path

from aisbx.errors import ProfileError
from aisbx.inputs import Inputs
from aisbx.paths import home, read_own
from aisbx.toolchains.read import small_file

LARGEST = 4096
"""Bytes of a `.python-version`."""

# What pyenv accepts as a directory's name under versions/; no slash, no `..`.
_VERSION = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$")
_UV = re.compile(r"cpython-(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:\+[a-z]+)?-linux-[a-z0-9_]+-(?:gnu|musl)$")


def wanted(workspace: str | None, inputs: Inputs) -> tuple[list[str], str]:
    """Give the versions that are asked for, first choice first, and who asks; empty where nobody does.

    The order is pyenv's: PYENV_VERSION, then `.python-version` of the workspace, then pyenv's own `version` file.
    A `.python-version` is repository input: it only selects among what is installed.
    """
    if named := inputs.env("PYENV_VERSION"):
        return _versions(named.split(":"), "PYENV_VERSION"), "PYENV_VERSION"
    if workspace:
        file = os.path.join(workspace, ".python-version")
        data = small_file(file, LARGEST, inputs, hint="write a version such as 3.12 into it")
        if data is not None:
            return _versions(_words(data), file), file
    file = os.path.join(pyenv_root(inputs), "version")
    # The user's own, so it may be a link, as those who keep their dotfiles in a repository have.
    data = read_own(Path(file), inputs)
    return (_versions(_words(data), file), file) if data is not None else ([], "")


def pyenv_root(inputs: Inputs) -> str:
    """Give `$PYENV_ROOT`, by default `~/.pyenv`."""
    named = inputs.env("PYENV_ROOT")
    return named if named and named.startswith("/") else os.path.join(home(inputs), ".pyenv")


def pyenv(version: str, inputs: Inputs) -> str:
    """Give the directory of a version that pyenv has (`3.11`: the newest 3.11.x, as in pyenv), "" for none."""
    root = os.path.join(pyenv_root(inputs), "versions")
    exact = os.path.join(root, version)
    inputs.note_link(exact)
    if os.path.isdir(exact):
        return exact
    inputs.note(root)
    numbered = [name for name in _list(root) if name.startswith(f"{version}.") and re.fullmatch(r"\d+(\.\d+)*", name)]
    return os.path.join(root, max(numbered, key=_number)) if numbered else ""


def uv(version: str, inputs: Inputs) -> str:
    """Give the directory of the newest CPython that uv has and that fits `version` ("": any), "" for none."""
    data = inputs.env("XDG_DATA_HOME")
    data = data if data and data.startswith("/") else os.path.join(home(inputs), ".local", "share")
    named = inputs.env("UV_PYTHON_INSTALL_DIR")
    root = named if named and named.startswith("/") else os.path.join(data, "uv", "python")
    inputs.note(root)
    machine = f"-linux-{os.uname().machine}-"
    fitting: dict[tuple[int, ...], str] = {}
    for name in _list(root):
        match = _UV.match(name)
        path = os.path.join(root, name)
        # Its links (cpython-3.12-linux-…) name the newest patch release, which is found by itself.
        if not match or machine not in name or os.path.islink(path):
            continue
        number = tuple(int(part) for part in match.groups())
        if not version or ".".join(map(str, number[: version.count(".") + 1])) == version:
            fitting[number] = path
    return fitting[max(fitting)] if fitting else ""


def _words(data: bytes) -> list[str]:
    lines = (line.split("#")[0].strip() for line in data.decode("utf-8", "replace").splitlines())
    return [line for line in lines if line]


def _versions(words: list[str], who: str) -> list[str]:
    for word in words:
        if not _VERSION.match(word):
            raise ProfileError(f"{word[:40]!r} is not a version's name", file=who, hint="write one such as 3.12")
    return words


def _number(name: str) -> tuple[int, ...]:
    return tuple(int(part) for part in name.split("."))


def _list(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []
