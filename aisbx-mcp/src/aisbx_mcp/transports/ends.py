"""How a server ends: every sandbox first, whatever it is that ends it."""

import os
import signal
import sys
from typing import TYPE_CHECKING

import anyio
from aisbx.errors import AisbxError

if TYPE_CHECKING:
    from aisbx_mcp.service import Service

_PATIENCE = 20.0
_ENDS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


async def watch(service: "Service") -> None:
    """End everything on a signal.

    With `_exit`: what waits in a thread, such as the SDK's reader of stdin, is reached by no cancellation.
    """
    with anyio.open_signal_receiver(*_ENDS) as signals:
        async for number in signals:
            with anyio.move_on_after(_PATIENCE):  # the lifeline does what is left
                await service.close()
            leave(128 + number)


def tell(error: AisbxError) -> int:
    """Say in a line why there is no server, and give the exit code."""
    hint = f"; hint: {error.hint}" if error.hint else ""
    sys.stderr.write(f"aisbx-mcp: {error.code}: {error.message}{hint}\n")
    return error.exit_code


def leave(code: int) -> None:
    """End this process at once."""
    sys.stderr.flush()
    os._exit(code)
