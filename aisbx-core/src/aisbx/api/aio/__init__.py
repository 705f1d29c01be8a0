"""The same for asyncio.

waiting.py     wait for a descriptor or for short work without a thread for each
sandbox.py     `AsyncSandbox`
background.py  `AsyncBackgroundProcess`
files.py       `AsyncSandboxFiles`
pool.py        `AsyncPool`
"""

from aisbx.api.aio.background import AsyncBackgroundProcess
from aisbx.api.aio.files import AsyncSandboxFiles
from aisbx.api.aio.pool import AsyncPool
from aisbx.api.aio.sandbox import AsyncSandbox

__all__ = ["AsyncBackgroundProcess", "AsyncPool", "AsyncSandbox", "AsyncSandboxFiles"]
