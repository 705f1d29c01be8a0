"""aisbx: a sandbox for what AI agents write.

Plugin authors import `aisbx.hookimpl`, `aisbx.types` and `aisbx.errors`; hosts
import `aisbx.engine`. This module imports nothing, so that the hot path of
`aisbx run` pays nothing for it.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aisbx.hookspecs import hookimpl

__all__ = ["hookimpl"]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Import pluggy only when a plugin asks for the marker (PEP 562)."""
    if name == "hookimpl":
        from aisbx.hookspecs import hookimpl  # pluggy costs 16 ms

        return hookimpl
    raise AttributeError(name)
