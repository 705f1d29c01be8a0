"""MCP host of aisbx: agents run commands and work on files in a sandbox."""

from collections.abc import Mapping

from aisbx import hookimpl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aisbx.types import Transport


@hookimpl
def aisbx_transport(name: str, settings: Mapping[str, object]) -> "Transport | None":
    """Give the transport that is called `stdio`, or `http`; they have no settings."""
    del settings
    if name == "stdio":
        from aisbx_mcp.transports.stdio import Stdio

        return Stdio()
    if name == "http":
        from aisbx_mcp.transports.http import Http  # uvicorn is loaded for nobody else

        return Http()
    return None
