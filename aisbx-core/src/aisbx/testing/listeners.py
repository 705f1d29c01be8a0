"""Servers of the host that a sandbox is not to reach. What reaches them is noted in `Scene.seen`."""

import contextlib
import os
import socket
import threading

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


def _serve(scene: Scene, server: socket.socket, what: str) -> None:
    stream = server.type == socket.SOCK_STREAM
    server.settimeout(0.05)  # so that the thread notices the end; closing a socket does not wake accept(2)
    if stream:
        server.listen()
    over = threading.Event()

    def serve() -> None:
        while not over.is_set():
            with contextlib.suppress(OSError):  # nobody came, or whoever did is gone again
                data = _received(server) if stream else server.recv(1024)
                if scene.token.encode() in data:
                    scene.seen.append(f"{what} of the host was reached")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    scene.defer(server.close)
    scene.defer(thread.join)
    scene.defer(over.set)


def _received(server: socket.socket) -> bytes:
    connection, _ = server.accept()
    with connection:
        connection.settimeout(1)
        return connection.recv(1024)


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
