"""What tests of secrets on their way have in common: a TLS server that remembers, and a client of the proxy's."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from aisbx.types import Authority, Binding, ProxiedSecret
from aisbx_egress import authority, inject
from aisbx_egress.authority import Issuer
from aisbx_egress.inject import Injector
from aisbx_egress.rules import parse

if TYPE_CHECKING:
    from .conftest import Running

VALUE, OTHER = "s3cr3t/+va1ue&of=all", "an0ther-va1ue-0f-all"
KEY, ANY = "aisbx-" + "a" * 40, "aisbx-" + "b" * 40
USUAL = ("authorization", "x-api-key")
Answering = Callable[[bytes], Iterable[bytes]]


def echo(request: bytes) -> list[bytes]:
    """Show a request, as servers for trying clients do."""
    return [b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(request), request]


class Secured(threading.Thread):
    """A TLS server for a name; `got` is all that it was told, `answering` gives the pieces of its answer."""

    def __init__(self, name: str, trusted: Authority) -> None:
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.context = Issuer(trusted).context(name)
        self.answering: Answering = echo
        self.got: list[bytes] = []
        self.start()

    def run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                raw, _ = self.listener.accept()
                raw.settimeout(5)
                with contextlib.suppress(OSError), self.context.wrap_socket(raw, server_side=True) as connection:
                    self._serve(connection)

    def _serve(self, connection: ssl.SSLSocket) -> None:
        data = b""
        while not whole(data) and (more := connection.recv(1 << 16)):
            data += more
        if data:
            self.got.append(data)
            for piece in self.answering(data):
                connection.sendall(piece)
            connection.unwrap()


def whole(data: bytes) -> bool:
    head, end, body = data.partition(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return len(body) >= int(line[15:].split(b",")[0])
        if line.startswith(b"transfer-encoding:"):
            return b"0\r\n\r\n" in body
    return bool(end) or b"\n\n" in data


class World:
    """A proxy with two secrets, the server that both are bound to, and another that is allowed."""

    def __init__(self, running: "Running", good: Secured, other: Secured, made: Authority) -> None:
        self.running, self.good, self.other = running, good, other
        self._trust = ssl.create_default_context(cadata=made.certificate.decode())
        self._trust.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF  # some Pythons set it

    def open(self, name: str = "good.example", *, server: Secured | None = None) -> socket.socket:
        raw = self.running.connect()
        place = f"{name}:{(server or self.good).port}"
        raw.sendall(f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n\r\n".encode())
        assert raw.recv(1 << 16).startswith(b"HTTP/1.1 200")
        return raw

    def secure(
        self, trust: ssl.SSLContext | None = None, name: str = "good.example", *, whole: bool = False
    ) -> ssl.SSLSocket:
        """Open a TLS connection through the proxy; `whole`: one that is cut off is an error."""
        trust = trust or self._trust
        return trust.wrap_socket(self.open(), server_hostname=name, suppress_ragged_eofs=not whole)

    def ask(self, request: bytes) -> bytes:
        """Send what is to be said in TLS, and give all that comes back."""
        answer = b""
        with self.secure() as client, contextlib.suppress(OSError):
            client.sendall(request.replace(b"PORT", b"%d" % self.good.port))
            while got := client.recv(1 << 16):
                answer += got
        return answer

    def reasons(self) -> list[str]:
        return [str(event.data["reason"]) for event in self.running.events if event.kind == "egress.refused"]

    def got(self) -> bytes:
        return b"".join(self.good.got + self.other.got)


def secrets(port: int) -> list[ProxiedSecret]:
    here = (f"good.example:{port}",)
    narrow = Binding(here, ("GET", "POST"), ("/v1",))
    return [
        ProxiedSecret("file:key", KEY, VALUE.encode(), (Binding(here), narrow), USUAL),
        ProxiedSecret("file:any", ANY, OTHER.encode(), (Binding(here),), USUAL),
    ]


def injector(given: list[ProxiedSecret], trusted: Authority, place: Path) -> tuple[Injector, Authority]:
    bundle = place / "trusted.pem"
    bundle.write_bytes(trusted.certificate)
    made = inject.authority(given)
    return Injector(given, made, str(bundle)), made


def authority_for(*hosts: str) -> Authority:
    return authority.made(parse(host) for host in hosts)
