"""Who one is inside a sandbox."""

import os
from collections.abc import Mapping

from aisbx import gitconfig
from aisbx.inputs import Inputs
from aisbx.paths import home
from aisbx.types import Identity

SANDBOX_NAME = "sandbox"
SANDBOX_ID = 1000
"""uid and gid inside when root runs aisbx: never 0, and what most images give the first user."""


def identity(environ: Mapping[str, str], inputs: Inputs) -> Identity:
    """Give the caller's account, with name and e-mail from their global git configuration.

    Run by root, the inside has an account of its own without privileges; the home keeps its path, because
    toolchains below it are found by that path.
    """
    git = gitconfig.user(inputs.bind(environ))
    where = os.path.realpath(home(inputs))
    if not hasattr(os, "geteuid") or os.geteuid() == 0:
        return Identity(SANDBOX_NAME, SANDBOX_ID, SANDBOX_ID, where, *git)
    import pwd

    inputs.note("/etc/passwd")
    try:
        name = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # a uid without an account, as in many containers
        name = SANDBOX_NAME
    return Identity(name, os.geteuid(), os.getegid(), where, *git)
