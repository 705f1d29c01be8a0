"""Where names lead inside: an address for each, which never changes, and sockets that wait there.

Ports below 1024 are nobody's inside: one socket waits on all addresses for each of those. Above, one waits at just the
address and the port, so that programs inside can have that port for themselves.
"""

import socket
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network

from aisbx.types import SYNTHETIC

_MOST = 4096
"""Names of one sandbox."""
_RESERVED, _RESOLVER = 1024, 53
_BACKLOG = 512


class PlaceProblem(Exception):  # noqa: N818 - it is why a name leads nowhere
    """There is no room for another name, or nobody can wait where it is to lead."""


class Places:
    """The addresses that names have in one sandbox."""

    def __init__(
        self, spare: list[socket.socket], listening: Callable[[socket.socket], None], block: str = SYNTHETIC
    ) -> None:
        """`spare` are sockets that were opened inside; `listening` hears of each that waits from now on."""
        self._block = IPv4Network(block)
        self._spare = spare
        self._listening = listening
        self._names: dict[IPv4Address, str] = {}
        self._addresses: dict[str, IPv4Address] = {}
        self._waiting: set[tuple[str, int]] = set()

    def lead(self, name: str, ports: tuple[int, ...]) -> IPv4Address:
        """Give a name's address, where somebody waits on these ports; PlaceProblem where that cannot be."""
        address = self._addresses.get(name)
        if address is None:
            if len(self._names) >= _MOST:
                raise PlaceProblem(f"the sandbox has asked for {_MOST} names already")
            address = self._block[len(self._names) + 1]
        for port in ports:
            everywhere = port < _RESERVED and port != _RESOLVER
            self._wait("0.0.0.0" if everywhere else str(address), port)  # noqa: S104 - inside there is nobody else
        self._addresses[name], self._names[address] = address, name
        return address

    def name(self, host: str) -> str:
        """Give the name whose address this is; empty where it is nobody's."""
        try:
            return self._names.get(IPv4Address(host), "")
        except ValueError:
            return ""

    def _wait(self, address: str, port: int) -> None:
        if (address, port) in self._waiting:
            return
        if not self._spare:
            raise PlaceProblem("the sandbox has no more sockets to wait for connections with")
        place = self._spare.pop()
        try:
            place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            place.bind((address, port))
            place.listen(_BACKLOG)
        except OSError as error:
            self._spare.append(place)
            raise PlaceProblem(f"port {port} cannot be had inside: {error.strerror}") from None
        self._waiting.add((address, port))
        self._listening(place)
