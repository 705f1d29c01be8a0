"""A server of uvicorn's, as both hosts have it."""

import ssl
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import uvicorn

from aisbx.errors import UsageError
from aisbx.hosting.connection import BoundedProtocol
from aisbx.hosting.requests import HEAD_BYTES


class Server(uvicorn.Server):
    """Leaves signals to its host, which has to end things first."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Do nothing with them."""
        yield


def configured(
    app: Callable[..., Any],
    protocol: type[BoundedProtocol],
    *,
    connections: int,
    certfile: str = "",
    keyfile: str = "",
    **more: Any,  # noqa: ANN401 - whatever uvicorn takes
) -> uvicorn.Config:
    """Give what serves `app` to at most so many connections; UsageError for a certificate or a key that is none.

    `more` are uvicorn's own options.
    """
    config = uvicorn.Config(
        app,
        http=protocol,
        loop="asyncio",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # anybody can write those
        server_header=False,
        limit_concurrency=connections,
        h11_max_incomplete_event_size=HEAD_BYTES,
        ssl_certfile=certfile or None,
        ssl_keyfile=keyfile or None,
        **more,
    )
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        what = getattr(error, "reason", None) or error.strerror or error
        raise UsageError(f"--certfile, --keyfile: {what}", hint="name a certificate and its key, both PEM") from error
    return config
