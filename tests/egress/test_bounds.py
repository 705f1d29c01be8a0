"""The process that holds an allow-list has bounds of its own, for the sandbox's do not hold it."""

import contextlib
import socket
import subprocess
import sys
import threading
from collections.abc import Generator
from pathlib import Path

import pytest
from aisbx_egress.addresses import of_hosts

from .test_proxy import connect

_PROXY = """
import os, socket, sys
from aisbx.types import EgressSockets
from aisbx_egress.serve import AllowList

port, memory, descriptors = map(int, sys.argv[1:])
if descriptors:
    import resource
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
listener, queries = (socket.create_server(("127.0.0.1", 0), backlog=600) for _ in range(2))
datagrams = socket.socket(type=socket.SOCK_DGRAM)
datagrams.bind(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
sockets = EgressSockets(listener.detach(), datagrams.detach(), queries.detach(), ())


def report(event):
    if event.kind == "egress.refused":
        bytearray(100 << 20)


AllowList({"memory": memory}).serve(lambda: (f"127.0.0.1:{port}",), sockets, report)
"""
_BOUND = 64 << 20


@pytest.fixture(scope="module")
def source() -> Generator[int]:
    """A server that sends without end to everybody who says something."""

    def pour(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.recv(100)
            while True:
                connection.sendall(bytes(1 << 20))

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=pour, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0), backlog=600) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def proxy(source: int, memory: int, descriptors: int = 0) -> Generator[tuple["subprocess.Popen[str]", int]]:
    words = [sys.executable, "-I", "-c", _PROXY, *map(str, (source, memory, descriptors))]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


def flood(port: int, source: int, many: int, stack: contextlib.ExitStack) -> None:
    """Have so many connections that ask for everything and read nothing."""
    for _ in range(many):
        client = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 12)
        client.sendall(connect(f"127.0.0.1:{source}") + b"\0go")


@pytest.mark.parametrize(("memory", "answered"), [(0, True), (_BOUND, False)])
def test_what_there_is_no_memory_for_ends_its_connection_and_no_other(
    source: int, memory: int, *, answered: bool
) -> None:
    with proxy(source, memory) as (process, port):
        for place, expected in (
            (f"127.0.0.2:{source}", b" 403 " if answered else b""),
            (f"127.0.0.1:{source}", b" 200 "),
        ):
            with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
                client.sendall(connect(place))
                answer = client.recv(100)
                assert expected in answer
                assert bool(answer) == bool(expected)
        assert process.poll() is None


def test_without_descriptors_for_all_connections_there_are_fewer_and_that_is_said(source: int) -> None:
    with proxy(source, 0, descriptors=100) as (_, port), contextlib.ExitStack() as stack:
        flood(port, source, (100 - 64) // 2, stack)
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            assert b"503 Too many connections: the sandbox has 18 connections already" in client.recv(1000)


def test_a_name_with_dots_is_found_in_the_file_of_hosts(tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    path.write_text("10.1.2.3 Intranet.Example intranet # a.example\n\n::1 b.example\nnonsense\n")
    assert [str(each) for each in of_hosts("intranet.example", str(path))] == ["10.1.2.3"]
    assert [str(each) for each in of_hosts("b.example", str(path))] == ["::1"]
    assert of_hosts("a.example", str(path)) == of_hosts("c.example", str(path)) == []
    assert of_hosts("a.example", str(tmp_path / "none")) == []
