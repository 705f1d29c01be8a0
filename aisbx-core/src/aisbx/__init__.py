"""aisbx: a sandbox for what AI agents write.

Programs import `Sandbox`, `Pool`, their asyncio forms and `run` from here (see docs/python.md); plugin authors
`hookimpl`, `aisbx.types` and `aisbx.errors`; hosts `aisbx.engine`. This module imports nothing, so that the hot path of
`aisbx run` pays nothing for it.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aisbx.api import AsyncPool, AsyncSandbox, Pool, Sandbox, run
    from aisbx.hookspecs import hookimpl

__all__ = ["AsyncPool", "AsyncSandbox", "Pool", "Sandbox", "hookimpl", "run"]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Import what is asked for when it is (PEP 562)."""
    if name == "hookimpl":
        from aisbx.hookspecs import hookimpl  # pluggy costs 16 ms

        return hookimpl
    if name in __all__:
        from aisbx import api

        return getattr(api, name)
    raise AttributeError(name)
