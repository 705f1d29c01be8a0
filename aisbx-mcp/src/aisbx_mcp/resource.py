"""What a resource is: something that clients read by its address.

A distribution adds resources with entry points of the group `aisbx.resources`; the entry point's name is
the resource's.

    async def hosts(call: Call, sandbox: str) -> str:
        '''The names that a sandbox knows.'''
        box = await call.room.box(sandbox)
        return box.files.read("/etc/hosts", 1 << 20).decode()

    HOSTS = Resource(hosts, uri="acme://{sandbox}/hosts", title="Names")

The address is a URI, or a template of RFC 6570 whose variables are the parameters after the `Call`. A value with `..`
or a NUL, or an absolute path, never reaches the function.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.types import InputRequiredResult

from aisbx_mcp.tool import Complete

Read = str | bytes | ReadResourceContents | InputRequiredResult


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource, or as many as fit its template; its function's docstring describes it."""

    read: Callable[..., Awaitable[Read]]
    uri: str
    title: str
    scope: str = "run"
    """What a key needs to read it, see `aisbx.keys`."""
    mime_type: str = ""
    """Empty: `text/plain` of text, `application/octet-stream` of bytes."""
    version: Callable[..., Awaitable[object]] | None = None
    """Given the `Room` and the variables: what is another, by `!=`, once the resource has changed.

    It is asked for every second while somebody has subscribed. None: it never changes.
    """
    complete: Mapping[str, Complete] = field(default_factory=dict[str, Complete])
    """Variable → what completes it."""
