"""Every place that the running aisbx is made of: what the host executes of it, next time, outside of any sandbox."""

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from aisbx.inputs import Inputs
from aisbx.installation.editable import folders
from aisbx.places import within

CHECKOUT = (
    *("aisbx", "dev", "noxfile.py", "pyproject.toml", "tools"),
    *("requirements-run.lock", "requirements.lock", ".venv"),
)
"""What `./aisbx` and `./dev` execute or read beside the distributions' own folders."""
_PACKAGE = os.path.join("aisbx-core", "src", "aisbx")


@dataclass(frozen=True, slots=True)
class Part:
    """A place, absolute, by the name that it is reached under; there may be nothing, where something would be read.

    `shared`: others work in it as well (/usr/local, say); it is held where a mount shows all of it.
    """

    path: str
    what: str
    shared: bool = False


def parts(inputs: Inputs) -> tuple[Part, ...]:
    """Give the parts of the aisbx that this process runs, outer ones first."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    linked = folders(sys.path)
    found = [*_checkout(package, linked, inputs), *_environment(), Part(package, "the package aisbx"), *_linked(linked)]
    found += [Part(entry, "what aisbx imports from") for entry in sys.path if os.path.isabs(entry)]
    by_path: dict[str, Part] = {}
    for part in found:
        by_path.setdefault(os.path.normpath(part.path), part)
    return tuple(by_path[path] for path in sorted(by_path))


def _checkout(package: str, linked: Iterable[str], inputs: Inputs) -> Iterator[Part]:
    """Give the scripts and distributions of the checkout that this package lies in, if it does.

    The distributions as a whole: a change of their pyproject.toml makes `./aisbx` install them again.
    """
    root = package.removesuffix(f"/{_PACKAGE}")
    if root == package or not os.path.lexists(os.path.join(root, "tools", "venv.sh")):
        return
    inputs.note_link(os.path.join(root, "tools", "venv.sh"))
    yield from (Part(os.path.join(root, name), "aisbx's checkout") for name in CHECKOUT)
    yield Part(os.path.join(root, "aisbx-core"), "a distribution of aisbx")
    for folder in linked:
        if os.path.dirname(folder) == os.path.realpath(root):
            yield Part(folder, "a distribution of aisbx")


def _linked(linked: Iterable[str]) -> Iterator[Part]:
    """Give the folders of linked plugins that no entry of `sys.path` stands for: there a finder takes what it wants."""
    for folder in linked:
        if not any(within(os.path.realpath(entry), os.path.realpath(folder)) for entry in sys.path):
            yield Part(folder, "a plugin of aisbx")


def _environment() -> Iterator[Part]:
    """Give the virtual environment, and of the Python below it what every start of it reads (Modules/getpath.py)."""
    if sys.prefix != sys.base_prefix:
        yield Part(sys.prefix, "the environment that aisbx runs from")
    python = "the Python that aisbx runs on"
    for prefix in (sys.base_prefix, sys.base_exec_prefix):
        yield Part(prefix, python, shared=True)
    if sys.executable:  # empty where Python could not find out
        yield Part(sys.executable, python)
        yield Part(os.path.dirname(os.path.realpath(sys.executable)), python)
    # With what lies beside the library's own directory: python311.zip comes before it.
    yield Part(os.path.dirname(os.path.dirname(os.path.abspath(os.__file__))), python)
