"""What can be done before the server is there: a process of its own makes the first sandbox meanwhile.

Importing the SDK takes the server most of a second; the first call finds a sandbox all the same. That none can be made
is known before the server answers.
"""

import json
import os
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING

from aisbx.errors import AisbxError

if TYPE_CHECKING:
    from aisbx_mcp.options import ServeOptions


def make_ahead(options: "ServeOptions", directory: str, name: str) -> None:
    """Make a sandbox of this name that works in this directory; without a name, look. An AisbxError says why not."""
    done = subprocess.run(
        [sys.executable, "-I", "-m", "aisbx_mcp.ahead"],
        input=pickle.dumps((options, directory, name)),
        stdout=subprocess.PIPE,
        cwd="/",
        check=False,
    )
    problem = json.loads(done.stdout or "null") if done.returncode == 0 else None
    if problem is None:
        raise AisbxError(f"what makes the first sandbox ended with {done.returncode}", hint="see what it said above")
    if problem:
        error = AisbxError(problem[1], hint=problem[2])
        error.code = problem[0]
        raise error


def main() -> None:
    """Do it, and tell what was wrong."""
    from aisbx.engine import Engine
    from aisbx.types import Principal

    from aisbx_mcp.options import HOST, request

    options, directory, name = pickle.load(sys.stdin.buffer)  # noqa: S301 - from the process that started this one
    principal = Principal(f"uid:{os.geteuid()}")
    problem: list[str] = []
    try:
        engine = Engine(os.environ, directory)
        for profile in (options.profile, *options.profiles):
            engine.enter(request(options, directory, profile))
            engine.admit(request(options, directory, profile), principal)
        if name:
            engine.sandboxes.create(request(options, directory, options.profile), principal, HOST, name)
    except AisbxError as error:
        problem = [error.code, error.message, error.hint]
    print(json.dumps(problem))


if __name__ == "__main__":
    main()
