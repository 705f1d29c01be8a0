"""A real server, started as clients start it, and the SDK's own client."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.types import CallToolResult

MARKER = "what-the-server-alone-knows"
SERVER = [sys.executable, "-I", "-m", "aisbx_mcp"]


@dataclass
class Home:
    """A home of its own, and servers in it."""

    path: Path

    @property
    def env(self) -> dict[str, str]:
        return {"HOME": str(self.path), "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "KEY": MARKER}

    def sandboxes(self) -> list[str]:
        place = self.path / ".local/state/aisbx/sandboxes"
        return sorted(os.listdir(place)) if place.exists() else []

    def audit(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.path / ".local/state/aisbx/audit.jsonl").read_text().splitlines()]


class Client:
    """The SDK's client, for tests that are no coroutines."""

    def __init__(self, portal: BlockingPortal, session: ClientSession) -> None:
        self.portal = portal
        self.session = session

    def result(self, tool: str, **arguments: Any) -> CallToolResult:
        found = self.portal.call(lambda: self.session.call_tool(tool, arguments))
        assert isinstance(found, CallToolResult)
        return found

    def call(self, tool: str, **arguments: Any) -> str:
        """Give a result's text; it must be no error."""
        found = self.result(tool, **arguments)
        assert not found.is_error, text_of(found)
        return text_of(found)

    def refused(self, tool: str, **arguments: Any) -> str:
        found = self.result(tool, **arguments)
        assert found.is_error, text_of(found)
        return text_of(found)


def text_of(result: CallToolResult) -> str:
    return "\n".join(block.text for block in result.content if block.type == "text")


@contextmanager
def connected(home: Home, *options: str) -> Generator[Client]:
    """Start a server and connect to it; at the end its input is closed."""
    command, *words = [*SERVER, *options]
    parameters = StdioServerParameters(command=command, args=words, env=home.env, cwd="/")
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(stdio_client(parameters)) as (reader, writer),
        portal.wrap_async_context_manager(ClientSession(reader, writer)) as session,
    ):
        portal.call(session.initialize)
        yield Client(portal, session)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    path = tmp_path_factory.mktemp("mcp-home")
    return Home(path)


@pytest.fixture(scope="session")
def client(home: Home) -> Iterator[Client]:
    with connected(home, "--profile", "python-dev", "--allow-profile", "node-dev") as found:
        yield found


@dataclass
class Raw:
    """A server that is spoken to by hand."""

    process: "subprocess.Popen[bytes]"

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        self.send({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        return self.answer()

    def send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout
        return json.loads(self.process.stdout.readline())

    def run(self, command: str) -> str:
        arguments = {"command": command, "yield_s": 0.5}
        return self.ask("tools/call", name="run_command", arguments=arguments)["result"]["content"][0]["text"]


@pytest.fixture
def raw(home: Home) -> Iterator[Callable[..., Raw]]:
    """Start servers without the SDK; whatever is left of them ends."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*options: str, stderr: Any = subprocess.DEVNULL) -> Raw:
        process = subprocess.Popen(
            [*SERVER, *options], env=home.env, cwd="/", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr
        )
        started.append(process)
        server = Raw(process)
        info = {"name": "test", "version": "0"}
        server.ask("initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo=info)
        server.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return server

    yield start
    for process in started:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            assert stream
            stream.close()


def until(holds: Callable[[], bool], seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
