"""What an egress plugin gets of a sandbox's network, and what it does with it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from aisbx.types.outcome import Event
from aisbx.types.secret import Binding

SYNTHETIC = "198.18.0.0/15"
"""What leads nowhere but to the sandbox itself, for the addresses of names (kept for tests by RFC 2544)."""


@dataclass(frozen=True, slots=True)
class EgressSockets:
    """Descriptors of sockets that were opened in the sandbox's network, before anything ran in it."""

    proxy: int
    """Listens (TCP) where the proxy variables of the inside lead to."""
    datagrams: int
    """UDP, bound where the inside asks for names (127.0.0.1:53)."""
    queries: int
    """Listens (TCP) at the same place."""
    spare: tuple[int, ...] = ()
    """TCP, not bound yet: for listening at addresses of `SYNTHETIC`, all of which lead to the inside."""


@dataclass(frozen=True, slots=True)
class ProxiedSecret:
    """A secret that the proxy puts into a request, over TLS, in its placeholder's place; the sandbox never has it."""

    name: str
    """`STORE:NAME`, for records."""
    placeholder: str
    value: bytes = field(repr=False)
    bindings: tuple[Binding, ...]
    """Where it may be sent: all of them must fit."""
    headers: tuple[str, ...]
    """Names of the header fields that it is put into, in lower case."""


@dataclass(frozen=True, slots=True)
class Authority:
    """What a sandbox's programs trust so that the proxy can read what they say to the hosts of its secrets. PEM."""

    certificate: bytes
    key: bytes = field(repr=False)


@runtime_checkable
class Egress(Protocol):
    """The decisions on the network of one sandbox, by a process that has nothing else to do and ends with it."""

    def serve(
        self, rules: Callable[[], Sequence[str]], sockets: EgressSockets, report: Callable[[Event], None]
    ) -> None:
        """Serve the connections of a sandbox's sockets, for as long as the process lives.

        `rules` gives those that hold now, at each call: they change while the sandbox runs. Each decision is told to
        `report` as an event (`egress.allowed`, `egress.refused`, `egress.unreachable`) with the rule's id in it;
        OSError where it cannot be written down: then it must not be carried out. Where it sees that a server has
        nothing at a path (`host`, `path`), it tells `egress.missing`, which is counted and not written down.
        """
        ...


@runtime_checkable
class SecretEgress(Egress, Protocol):
    """One that puts secrets into requests on their way, and takes them out of the answers."""

    def authority(self, secrets: Sequence[ProxiedSecret]) -> Authority:
        """Make a certificate authority for one sandbox, good for the hosts of these secrets alone."""
        ...

    def bearing(self, secrets: Sequence[ProxiedSecret], authority: Authority) -> Egress:
        """Give this plugin for one sandbox, whose secrets these are; ConfigError for a setting that is of no use."""
        ...
