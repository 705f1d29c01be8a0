"""A published port reaches a server inside from the host's loopback, and nothing else reaches anything by it."""

import os
import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .conftest import Box

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

SERVER = r"""
import socket, socketserver, sys, threading

class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        data = self.rfile.read()  # to the end that the client sends
        self.wfile.write(b"%d:" % len(data) + data)

class Deaf(socketserver.BaseRequestHandler):
    def handle(self):
        threading.Event().wait()

socketserver.ThreadingTCPServer.daemon_threads = True
echo = socketserver.ThreadingTCPServer(("127.0.0.1", int(sys.argv[1])), Echo)
full = socket.socket()  # never accepts: its queue is soon full
full.bind(("127.0.0.1", int(sys.argv[2])))
full.listen(0)
print("ready", flush=True)
echo.serve_forever()
"""


@pytest.fixture
def ports() -> list[int]:
    """Two ports that are free on the loopback."""
    holders = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    found = [holder.getsockname()[1] for holder in holders]
    for holder in holders:
        holder.close()
    return found


def ask(port: int, data: bytes, host: str = "127.0.0.1") -> bytes:
    with socket.create_connection((host, port), timeout=20) as client:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        answer = b""
        while part := client.recv(1 << 16):
            answer += part
        return answer


def forwarders(port: int) -> list[str]:
    """The status of every process that forwards a port."""
    found: list[str] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if f"forward.py\0{port}\0".encode() in (entry / "cmdline").read_bytes():
                    found.append((entry / "status").read_text())
            except OSError:
                continue
    return found


def listening(port: int) -> set[str]:
    """The addresses, in hexadecimal, on which the host listens at a port."""
    rows = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
    return set(re.findall(rf"^ *\d+: ([0-9A-F]+):{port:04X} [0-9A-F:]+ 0A ", rows, re.MULTILINE))


@pytest.fixture
def served(box: Box, ports: list[int]) -> "Callable[..., subprocess.Popen[bytes]]":
    (box.project / "server.py").write_text(SERVER)

    def serve(*words: str) -> "subprocess.Popen[bytes]":
        command = ("python3", "server.py", *map(str, ports))
        started = box.start(*words, "--", *command)
        assert started.stdout is not None
        if started.stdout.readline() != b"ready\n":
            raise AssertionError(started.communicate(timeout=20)[1].decode())
        return started

    return serve


def test_of_a_run(box: Box, ports: list[int], served: "Callable[..., subprocess.Popen[bytes]]") -> None:
    published = [f"--publish={port}" for port in ports]
    run = served("run", "-p", "python-dev", *published)
    try:
        data = os.urandom(3 << 20)
        assert ask(ports[0], data) == b"%d:" % len(data) + data
        assert ask(ports[0], b"six", "::1") == b"3:six"
        # What waits for a server that does not answer holds up nobody else.
        waiting = [socket.create_connection(("127.0.0.1", ports[1])) for _ in range(8)]
        assert ask(ports[0], b"") == b"0:"
        for each in waiting:
            each.close()
        assert listening(ports[0]) == {"0100007F", "00000000000000000000000001000000"}
        [status] = forwarders(ports[0])
        for row in ("CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"):
            assert row in status
        [uid] = re.findall(r"^Uid:\t(\d+)", status, re.MULTILINE)
        assert uid != "0"
        taken = box("run", f"--publish={ports[0]}", "--", "touch", "ran")
        assert (taken.returncode, taken.stdout) == (125, "")
        told = f"--publish {ports[0]}: 127.0.0.1 port {ports[0]} cannot be had: Address already in use"
        assert told in taken.stderr
        assert not (box.project / "ran").exists()
    finally:
        run.terminate()
        run.communicate(timeout=20)
    assert not forwarders(ports[0])
    with pytest.raises(ConnectionRefusedError):
        ask(ports[0], b"")


def test_of_a_sandbox_that_lasts(box: Box, ports: list[int], served: "Callable[..., subprocess.Popen[bytes]]") -> None:
    box.out("create", "--name", "work", "-p", "python-dev", f"--publish={ports[0]}")
    assert ask(ports[0], b"") == b""  # nobody listens inside yet
    command = served("exec", "work")
    assert ask(ports[0], b"four") == b"4:four"
    command.terminate()
    command.communicate(timeout=20)
    assert "forward" not in box.out("exec", "work", "--", "ps", "ax")
    taken = box("create", "--name", "other", f"--publish={ports[0]}")
    assert taken.returncode == 125
    assert "Address already in use" in taken.stderr
    assert box.out("ls", "--json").count('"name"') == 1
    box.out("destroy", "work")
    assert not forwarders(ports[0])
    assert not listening(ports[0])


def test_the_host_stays_out_of_reach(box: Box, ports: list[int]) -> None:
    """A published port is a way in, not out."""
    with socket.create_server(("127.0.0.1", ports[1])):
        script = f"exec 3<>/dev/tcp/127.0.0.1/{ports[1]}"
        done = box("run", f"--publish={ports[0]}", "--", "bash", "-c", script)
    assert done.returncode != 0
    assert "Connection refused" in done.stderr
