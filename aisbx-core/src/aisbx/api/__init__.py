"""Sandboxes for Python programs: `from aisbx import Sandbox, Pool, run`. The engine is the command line's.

options.py     what a sandbox may be made with, and a command
result.py      what came of a command; bounded.py keeps the beginning and the end of its output
sandbox.py     `Sandbox`, and `run` for one command in a sandbox of its own
running.py     a command that runs; stream.py gives its lines
background.py  a command that goes on without the program
files.py       a sandbox's files
changes.py     what it changed in a workspace, for review
pool.py        `Pool`, sandboxes that are made before they are needed; keeper.py makes and ends them
aio/           the same for asyncio
"""

from aisbx.api.aio import AsyncBackgroundProcess, AsyncPool, AsyncSandbox
from aisbx.api.background import BackgroundProcess, Chunk
from aisbx.api.bounded import Cut
from aisbx.api.changes import Applied, Changes
from aisbx.api.options import Options
from aisbx.api.pool import Pool
from aisbx.api.pooled import PooledSandbox
from aisbx.api.result import CommandFailed, Result
from aisbx.api.sandbox import Sandbox, run
from aisbx.snapshots import Snapshot

__all__ = [
    "Applied",
    "AsyncBackgroundProcess",
    "AsyncPool",
    "AsyncSandbox",
    "BackgroundProcess",
    "Changes",
    "Chunk",
    "CommandFailed",
    "Cut",
    "Options",
    "Pool",
    "PooledSandbox",
    "Result",
    "Sandbox",
    "Snapshot",
    "run",
]
