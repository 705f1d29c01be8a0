"""Sandboxes for Python programs: `from aisbx import Sandbox, AsyncSandbox, run`. The engine is the command line's.

options.py  what a sandbox may be made with
result.py   what came of a command
sandbox.py  `Sandbox`, and `run` for one command in a sandbox of its own
aio.py      `AsyncSandbox`, the same for asyncio
stream.py   the output of a command, line by line, while it runs
"""

from aisbx.api.aio import AsyncSandbox
from aisbx.api.options import Options
from aisbx.api.result import CommandFailed, Result
from aisbx.api.sandbox import Sandbox, run

__all__ = ["AsyncSandbox", "CommandFailed", "Options", "Result", "Sandbox", "run"]
