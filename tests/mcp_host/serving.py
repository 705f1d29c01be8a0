"""A server over HTTP, started as it is in earnest, and ways to speak to it."""

import re
import socket
import subprocess
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from aisbx.keys import Keyring
from anyio.from_thread import start_blocking_portal
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

from tests.mcp_host.conftest import SERVER, Client, Home

INITIALIZE = (
    b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},'
    b'"clientInfo":{"name":"test","version":"0"}}}'
)


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Served:
    """A server that is there."""

    process: "subprocess.Popen[bytes]"
    url: str
    port: int
    stderr: Path

    def ask(
        self, *headers: str, body: bytes = INITIALIZE, line: str = "POST /mcp HTTP/1.1", length: int = -1
    ) -> Answer:
        """Send a request by hand and read the answer's head and what follows at once."""
        fixed = ["Content-Type: application/json", "Accept: application/json, text/event-stream"]
        names = {header.partition(":")[0].lower() for header in headers}
        if "host" not in names:
            fixed.append(f"Host: 127.0.0.1:{self.port}")
        if "transfer-encoding" not in names:
            fixed.append(f"Content-Length: {len(body) if length < 0 else length}")
        head = "\r\n".join([line, *fixed, *headers, "", ""]).encode("latin-1")
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            with suppress(BrokenPipeError, ConnectionResetError):  # it may have answered already
                connection.sendall(head + body)
            data = b""
            while b"\r\n\r\n" not in data and (part := connection.recv(65536)):
                data += part
            top, _, rest = data.partition(b"\r\n\r\n")
            first, *others = top.decode("latin-1").split("\r\n")
            pairs = [other.partition(":") for other in others]
            answer = Answer(int(first.split()[1]), {name.lower(): value.strip() for name, _, value in pairs}, rest)
            while len(answer.body) < int(answer.headers.get("content-length", "0")):
                answer.body += connection.recv(65536)
        return answer


def keyring(home: Home) -> Keyring:
    return Keyring(home.path / ".local/state/aisbx")


@contextmanager
def serving(home: Home, *options: str) -> Generator[Served]:
    """Start a server on a port that is free; whatever is left of it ends."""
    stderr = home.path / f"stderr-{len(list(home.path.iterdir()))}"
    with stderr.open("wb") as file:
        argv = [*SERVER, "--transport", "http", "--port", "0", *options]
        process = subprocess.Popen(argv, env=home.env, cwd="/", stdin=subprocess.DEVNULL, stderr=file)
    try:
        yield Served(process, *_address(process, stderr), stderr)
    finally:
        process.kill()
        process.wait()


def _address(process: "subprocess.Popen[bytes]", stderr: Path) -> tuple[str, int]:
    from tests.mcp_host.conftest import until

    def told() -> "re.Match[str] | None":
        return re.search(r"serving (https?://127\.0\.0\.1:(\d+)/mcp)", stderr.read_text())

    assert until(lambda: told() is not None or process.poll() is not None)
    found = told()
    assert found, stderr.read_text()
    return found[1], int(found[2])


@contextmanager
def http_client(url: str, key: str = "", headers: Sequence[tuple[str, str]] = ()) -> Generator[Client]:
    """Connect the SDK's client."""
    shown = {"Authorization": f"Bearer {key}"} if key else {}
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(create_mcp_http_client(headers={**shown, **dict(headers)})) as http,
        portal.wrap_async_context_manager(streamable_http_client(url, http_client=http)) as (reader, writer),
        portal.wrap_async_context_manager(ClientSession(reader, writer)) as session,
    ):
        portal.call(session.initialize)
        yield Client(portal, session)
