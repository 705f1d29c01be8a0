"""Servers of the host that a sandbox is not to reach. What reaches them is noted in `Scene.seen`."""

import base64
import contextlib
import os
import socket
import ssl
import threading
from collections.abc import Callable

from aisbx.testing.certificate import certificate
from aisbx.testing.scene import Scene


def tcp(scene: Scene, family: socket.AddressFamily) -> int:
    """Listen on the host's loopback; gives the port."""
    server = socket.socket(family, socket.SOCK_STREAM)
    server.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
    _serve(scene, server, "TCP")
    return int(server.getsockname()[1])


def udp(scene: Scene) -> int:
    """Wait for datagrams on the host's loopback; gives the port."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    _serve(scene, server, "UDP")
    return int(server.getsockname()[1])


def unix(scene: Scene, address: str, kind: socket.SocketKind = socket.SOCK_STREAM) -> str:
    """Listen on a Unix socket: a path, or an abstract name that begins with a null byte."""
    server = socket.socket(socket.AF_UNIX, kind)
    server.bind(address)
    if not address.startswith("\0"):
        os.chmod(address, 0o777)
        scene.defer(_remove, address)
    _serve(scene, server, "a Unix socket")
    return address


def secured(scene: Scene, allowed: Callable[[bytes], bool]) -> int:
    """Serve HTTPS as `localhost`, showing each request in several ways; gives the port.

    Noted is a request that has the scene's secret, said in TLS or before it, and is not `allowed` to.
    """
    server = socket.create_server(("127.0.0.1", 0))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(scene))

    def serve() -> None:
        raw, _ = server.accept()
        raw.settimeout(2)
        with raw:
            _note(scene, raw.recv(1 << 16, socket.MSG_PEEK), lambda _: False)
            with context.wrap_socket(raw, server_side=True) as connection:
                request = b""
                while b"\r\n\r\n" not in request and (more := connection.recv(1 << 16)):
                    request += more
                _note(scene, request, allowed)
                _show(connection, request, arrived=scene.secret.encode() in request)

    _until_the_end(scene, server, serve)
    return int(server.getsockname()[1])


def _note(scene: Scene, request: bytes, allowed: Callable[[bytes], bool]) -> None:
    if scene.secret.encode() in request and not allowed(request):
        scene.seen.append(f"the secret was sent with {request.partition(b' HTTP')[0][:80]!r}")


def _show(connection: ssl.SSLSocket, request: bytes, *, arrived: bool) -> None:
    value = request.partition(b": ")[2]
    body = b" ".join((b"arrived" if arrived else b"nothing", request, base64.b64encode(request), value.hex().encode()))
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Shown: %b\r\nContent-Length: %d\r\n\r\n" % (_field(request), len(body)))
    for at in range(0, len(body), 50):  # cut into pieces at any place
        connection.sendall(body[at : at + 50])
    connection.unwrap()


def _field(request: bytes) -> bytes:
    """Give what the third line says, which has the field."""
    return request.split(b"\r\n")[2].partition(b": ")[2] if request.count(b"\r\n") > 2 else b""


def _serve(scene: Scene, server: socket.socket, what: str) -> None:
    stream = server.type == socket.SOCK_STREAM
    if stream:
        server.listen()

    def note(data: bytes) -> None:
        if scene.token.encode() in data:
            scene.seen.append(f"{what} of the host was reached")

    def serve() -> None:
        if not stream:
            note(server.recv(1024))
            return
        connection, _ = server.accept()
        with connection:
            connection.settimeout(1)
            note(connection.recv(1024))  # before it is closed, which tells an attack to go on, and to end

    _until_the_end(scene, server, serve)


def _until_the_end(scene: Scene, server: socket.socket, serve: Callable[[], None]) -> None:
    """Serve one after the other, in a thread."""
    server.settimeout(0.05)  # so that the thread notices the end; closing a socket does not wake accept(2)
    over = threading.Event()

    def run() -> None:
        while not over.is_set():
            with contextlib.suppress(OSError):  # nobody came, or whoever did is gone again
                serve()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    scene.defer(server.close)
    scene.defer(thread.join)
    scene.defer(over.set)


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
