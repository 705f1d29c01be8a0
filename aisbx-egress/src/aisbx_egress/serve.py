"""The plugin: from a listening socket and rules to a proxy that runs."""

import asyncio
import resource
import socket
from collections.abc import Callable, Mapping, Sequence

from aisbx.types import EgressSockets, Event

from aisbx_egress.proxy import Proxy
from aisbx_egress.session import Limits, Session

_DESCRIPTORS = 64
"""Beside the two of each connection."""


class AllowList:
    """Serves HTTP, CONNECT and SOCKS5, names, and the connections to where those lead."""

    def __init__(self, settings: Mapping[str, object]) -> None:
        """Read the limits; ConfigError says which is wrong."""
        self._limits = Limits.of(settings)

    def serve(
        self, rules: Callable[[], Sequence[str]], sockets: EgressSockets, report: Callable[[Event], None]
    ) -> None:
        """Serve connections until the process ends; see `aisbx.types.Egress`."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = self._limits.connections * 2 + len(sockets.spare) + _DESCRIPTORS
        if soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
        proxy = Proxy(Session(rules, report, self._limits))
        given = (sockets.proxy, sockets.datagrams, sockets.queries, *sockets.spare)
        asyncio.run(proxy.serve(*(socket.socket(fileno=descriptor) for descriptor in given)))
