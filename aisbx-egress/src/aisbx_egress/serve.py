"""The plugin: from a listening socket and rules to a proxy that runs."""

import asyncio
import resource
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from aisbx.errors import ConfigError
from aisbx.types import Authority, EgressSockets, Event, ProxiedSecret

from aisbx_egress.proxy import Proxy
from aisbx_egress.session import Limits, Session

if TYPE_CHECKING:
    from aisbx_egress.inject import Injector

_DESCRIPTORS = 64
"""Beside the two of each connection."""
_AUTHORITIES = "authorities"


class AllowList:
    """Serves HTTP, CONNECT and SOCKS5, names, and the connections to where those lead; puts secrets into requests."""

    def __init__(self, settings: Mapping[str, object]) -> None:
        """Read the limits, and where more authorities are; ConfigError says which is wrong."""
        self._limits = Limits.of({key: value for key, value in settings.items() if key != _AUTHORITIES})
        found = settings.get(_AUTHORITIES, "")
        if not isinstance(found, str) or (found and not found.startswith("/")):
            hint = "name a file with certificates (PEM), by its absolute path"
            raise ConfigError(f"{found!r} is not an absolute path", key=f"egress.allowlist.{_AUTHORITIES}", hint=hint)
        self._authorities = found
        self._injector: Injector | None = None

    def authority(self, secrets: Sequence[ProxiedSecret]) -> Authority:
        """Make a certificate authority for one sandbox; see `aisbx.types.SecretEgress`."""
        from aisbx_egress import inject  # few sandboxes have secrets, and cryptography is not cheap to load

        return inject.authority(secrets)

    def bearing(self, secrets: Sequence[ProxiedSecret], authority: Authority) -> "AllowList":
        """Give this plugin with secrets; ConfigError where the authorities cannot be read."""
        from aisbx_egress.inject import Injector

        made = AllowList({_AUTHORITIES: self._authorities})
        made._limits = self._limits
        try:
            made._injector = Injector(secrets, authority, self._authorities)
        except OSError as error:
            key, hint = f"egress.allowlist.{_AUTHORITIES}", "name a file with certificates (PEM)"
            what = f"{self._authorities}: {error.strerror or 'it holds no certificate'}"
            raise ConfigError(what, key=key, hint=hint) from None
        return made

    def serve(
        self, rules: Callable[[], Sequence[str]], sockets: EgressSockets, report: Callable[[Event], None]
    ) -> None:
        """Serve connections until the process ends; see `aisbx.types.Egress`."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = self._limits.connections * 2 + len(sockets.spare) + _DESCRIPTORS
        if soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
        room = (resource.getrlimit(resource.RLIMIT_NOFILE)[0] - len(sockets.spare) - _DESCRIPTORS) // 2
        limits = replace(self._limits, connections=max(1, min(self._limits.connections, room)))
        if limits.memory:  # what it has no memory for is that connection's end, at the worst this process's
            resource.setrlimit(resource.RLIMIT_DATA, (limits.memory, limits.memory))
        proxy = Proxy(Session(rules, report, limits, self._injector))
        given = (sockets.proxy, sockets.datagrams, sockets.queries, *sockets.spare)
        asyncio.run(proxy.serve(*(socket.socket(fileno=descriptor) for descriptor in given)))
