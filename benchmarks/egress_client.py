"""The named client of the egress benchmark, and the server that it talks to: `python3 egress_client.py ROLE …`.

    serve                       prints its port, then serves until stdin ends
    measure ROUNDS BYTES WAY…   prints times (seconds) of each way and of `direct`, in turn, as JSON
    crowd COUNT WAY             prints how many of so many connections at once brought back what was sent

A WAY is NAME=HOST:PORT, and what begins with `@` goes through the proxy of a sandbox to HOST, with `~` to the address
that the resolver there gives for it.

The first byte of a connection says what is wanted: 0, all that follows comes back; 1, as many bytes as the next eight
say. By itself: it needs nothing but the standard library, and runs in the sandbox too.
"""

import json
import socket
import subprocess
import sys
import threading
import time

PROXY = ("127.0.0.1", 3128)
RESOLVER = ("127.0.0.1", 53)
_CHUNK = 1 << 18
_ECHOES = 5
"""To each transfer in bulk."""
_MESSAGE = b"\0" + bytes(range(1, 64))


def serve() -> None:
    """Serve until stdin ends."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    print(listener.getsockname()[1], flush=True)

    def accept() -> None:
        while True:
            threading.Thread(target=_answer, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()


def _answer(connection: socket.socket) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection:
        data = connection.recv(_CHUNK)
        if data[:1] == b"\1":
            left, chunk = int.from_bytes(data[1:9], "big"), bytes(_CHUNK)
            while left:
                left -= connection.send(chunk[:left])
            return
        while data:
            connection.sendall(data)
            data = connection.recv(_CHUNK)


def connected(way: str) -> socket.socket:
    """Give a connection by one of the ways."""
    place = way.partition("=")[2]
    host, _, port = place.lstrip("@~").rpartition(":")
    if place.startswith("@"):
        connection = socket.create_connection(PROXY)
        connection.sendall(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
        said = connection.recv(1000)
        if b" 200 " not in said:
            raise SystemExit(said.decode())
    else:
        connection = socket.create_connection((_address(host) if place.startswith("~") else host, int(port)))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _address(host: str) -> str:
    with socket.socket(type=socket.SOCK_DGRAM) as asking:
        labels = b"".join(bytes([len(label)]) + label.encode() for label in host.split("."))
        asking.sendto(b"\0\7\1\0\0\1\0\0\0\0\0\0" + labels + b"\0\0\1\0\1", RESOLVER)
        return socket.inet_ntoa(asking.recv(500)[-4:])


def echo(way: str) -> float:
    """Give the seconds that a connection and an answer take."""
    begin = time.perf_counter()
    with connected(way) as connection:
        connection.sendall(_MESSAGE)
        got = b""
        while len(got) < len(_MESSAGE):
            got += connection.recv(_CHUNK)
    if got != _MESSAGE:
        raise SystemExit(f"{way}: what came back is not what was sent")
    return time.perf_counter() - begin


def bulk(way: str, size: int) -> float:
    """Give the seconds that so many bytes take from the server."""
    with connected(way) as connection:
        begin, left = time.perf_counter(), size
        connection.sendall(b"\1" + size.to_bytes(8, "big"))
        while left:
            data = connection.recv(_CHUNK)
            if not data:
                raise SystemExit(f"{way}: {left} bytes are missing")
            left -= len(data)
    return time.perf_counter() - begin


def crowd(count: int, way: str) -> int:
    """Give how many of so many connections at once brought back what was sent."""
    connections = [connected(way) for _ in range(count)]
    for number, connection in enumerate(connections):
        connection.sendall(b"\0%08d" % number)
    whole = 0
    for number, connection in enumerate(connections):
        got = b""
        while len(got) < 9 and (data := connection.recv(100)):  # noqa: PLR2004 - what was sent
            got += data
        whole += got == b"\0%08d" % number
        connection.close()
    return whole


def main(words: "list[str]") -> None:
    """Do what the first word says."""
    if words[0] == "serve":
        serve()
    elif words[0] == "crowd":
        print(crowd(int(words[1]), words[2]))
    else:
        measure(int(words[1]), int(words[2]), words[3:])


def measure(rounds: int, size: int, ways: "list[str]") -> None:
    """Print the times of each way; the first is told a server of this process's own."""
    server = subprocess.Popen([sys.executable, __file__, "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with server:
        assert server.stdout is not None
        assert server.stdin is not None
        ways = [f"direct=127.0.0.1:{int(server.stdout.readline())}", *ways]
        times: dict[str, dict[str, list[float]]] = {}
        for way in ways:
            echo(way)
            times[way.partition("=")[0]] = {"echo": [], "bulk": []}
        for _ in range(rounds):
            for way in ways:
                spent = times[way.partition("=")[0]]
                spent["echo"] += [echo(way) for _ in range(_ECHOES)]
                spent["bulk"].append(bulk(way, size))
        server.stdin.close()
    print(json.dumps(times))


if __name__ == "__main__":
    main(sys.argv[1:])
