"""Toolchains that people have on their machine, found without executing anything and shown read-only.

A profile names what is to be found (`toolchains: [python]`); what is found decides which host paths are mounted.
"""

import importlib
from collections.abc import Collection, Mapping

from aisbx.errors import ProfileError
from aisbx.inputs import Inputs
from aisbx.toolchains.found import BIN, Toolchain
from aisbx.types import Workspace

__all__ = ["BIN", "TOOLCHAINS", "Toolchain", "discover"]

TOOLCHAINS: Mapping[str, str] = {
    "go": "aisbx.toolchains.golang",
    "java": "aisbx.toolchains.java",
    "node": "aisbx.toolchains.node",
    "python": "aisbx.toolchains.python",
    "rust": "aisbx.toolchains.rust",
}
"""Name in a profile → module whose `find(workspace, inputs)` looks for it."""


def discover(
    toolchains: Collection[str], workspace: Workspace | None, environ: Mapping[str, str], inputs: Inputs
) -> Toolchain:
    """Find every toolchain that a profile names. Reads files and links, executes nothing.

    ProfileError where one is not found or may not be used, saying where it was looked for and why.
    """
    inputs.bind(environ)
    found = Toolchain()
    for name in sorted(toolchains):
        if name not in TOOLCHAINS:
            known = ", ".join(TOOLCHAINS)
            raise ProfileError(f"there is no toolchain {name!r}", key="toolchains", hint=f"there are: {known}")
        found |= importlib.import_module(TOOLCHAINS[name]).find(workspace.path if workspace else None, inputs)
    return found
