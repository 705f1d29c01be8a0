"""The profiles that come with aisbx: data files beside this one."""

import os

from aisbx import hookimpl

NAMES = frozenset(
    {"base", "go-dev", "java-dev", "node-dev", "offline", "python-dev", "readonly", "rust-dev", "shell", "strict"}
)

# A wheel is always unpacked, so a plain path is the cheapest way to a data file.
_HERE = os.path.dirname(__file__)


@hookimpl
def aisbx_profile(name: str) -> str | None:
    """Give the text of the profile called `name`, None where this distribution has none."""
    if name not in NAMES:
        return None
    with open(os.path.join(_HERE, f"{name}.yaml"), encoding="utf-8") as file:
        return file.read()
