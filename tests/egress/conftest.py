"""A proxy that runs, with a resolver of the test's own, and servers that remember what they got."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field

import pytest
from aisbx.types import Event
from aisbx_egress import addresses
from aisbx_egress.inject import Injector
from aisbx_egress.names import Address, address
from aisbx_egress.proxy import Proxy
from aisbx_egress.session import Limits, Session

from .secure import OTHER, VALUE, Secured, World, authority_for, echo, injector, secrets

BLOCK = "127.77.0.0/16"
"""For the addresses of names: on any machine, all of it is its own."""
_SPARE = 3


class Server(threading.Thread):
    """Answers each connection with `answer` once what came ends with `after`, or echoes; keeps all that it got."""

    def __init__(self, answer: bytes = b"", after: bytes = b"") -> None:
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=600)
        self.port: int = self.listener.getsockname()[1]
        self.got: list[bytes] = []
        self.accepted = 0
        self._answer = answer
        self._after = after
        self.start()

    def run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.accepted += 1
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while data := connection.recv(1 << 16):
                self.got.append(data)
                if not data.endswith(self._after):
                    continue
                connection.sendall(self._answer or data)
                if self._answer:
                    connection.shutdown(socket.SHUT_WR)


@dataclass
class Running:
    """A proxy in a thread of its own. `names` is what its resolver knows."""

    port: int = 0
    rules: list[str] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    names: dict[str, list[str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    resolver: tuple[str, int] = ("", 0)
    full: bool = False
    """Nothing can be written down."""

    def report(self, event: Event) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        self.events.append(event)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=5)

    def say(self, data: bytes, more: bytes = b"") -> bytes:
        """Send bytes, then others once there was an answer, and give all that comes back."""
        with self.connect() as client:
            client.sendall(data)
            answer = client.recv(1 << 16)
            if more:
                client.sendall(more)
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_WR)
                while got := client.recv(1 << 16):
                    answer += got
            return answer

    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]

    def await_event(self, kind: str) -> Event:
        until = time.monotonic() + 5
        while time.monotonic() < until:
            for event in self.events:
                if event.kind == kind:
                    return event
            time.sleep(0.01)
        raise AssertionError(self.events)


class Resolving(Session):
    """A session that asks the test instead of the network."""

    running: Running

    async def _resolve(self, host: str) -> list[Address]:
        found = address(host)
        if found is not None:
            return [found]
        self.running.asked.append(host)
        if host not in self.running.names:
            raise OSError(2, "there is no such name")
        return [addresses.parsed(text) for text in self.running.names[host]]


@contextlib.contextmanager
def serving(limits: Limits, rules: Sequence[str], injector: Injector | None = None) -> Generator[Running, None, None]:
    running = Running(rules=list(rules))
    session = Resolving(lambda: running.rules, running.report, limits, injector)
    session.running = running
    listener = socket.create_server(("127.0.0.1", 0), backlog=600)
    running.port = listener.getsockname()[1]
    queries = socket.create_server(("127.0.0.1", 0))
    running.resolver = queries.getsockname()
    datagrams = socket.socket(type=socket.SOCK_DGRAM)
    datagrams.bind(running.resolver)
    spare = [socket.socket() for _ in range(_SPARE)]
    loop = asyncio.new_event_loop()
    task = loop.create_task(Proxy(session, BLOCK).serve(listener, datagrams, queries, *spare))

    def run() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            loop.run_until_complete(task)
        loop.run_until_complete(asyncio.sleep(0.01))  # what was aborted is closed
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield running
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(10)
        for each in (listener, datagrams, queries, *spare):
            each.close()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.listener.close()


@pytest.fixture
def proxy(server: Server) -> Iterator[Running]:
    """A proxy that allows good.example on the server's port, whose address is named; nothing else."""
    port = server.port
    with serving(Limits(), [f"good.example:{port}", f"127.0.0.1:{port}", "*.wild.example:443"]) as running:
        running.names = {
            "good.example": ["127.0.0.1"],
            "evil.example": ["127.0.0.1"],
            "a.wild.example": ["127.0.0.1"],
            "b.wild.example": ["169.254.169.254", "10.0.0.1", "::1"],
        }
        yield running


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    trusted = authority_for("good.example", "evil.example")
    good, other = Secured("good.example", trusted), Secured("evil.example", trusted)
    given, own = injector(secrets(good.port), trusted, tmp_path_factory.mktemp("trusted"))
    with serving(Limits(), [], given) as running:
        running.names = {"good.example": ["127.0.0.1"], "evil.example": ["127.0.0.1"]}
        yield World(running, good, other, own)
    good.listener.close()
    other.listener.close()


@pytest.fixture
def world(secured: World) -> Iterator[World]:
    contexts = secured.good.context, secured.other.context
    rules = [f"{name}:{each.port}" for name, each in (("good.example", secured.good), ("evil.example", secured.other))]
    secured.running.rules = [*rules, *(f"127.0.0.1:{each.port}" for each in (secured.good, secured.other))]
    secured.running.full = False
    secured.running.events.clear()
    for each in (secured.good, secured.other):
        each.got.clear()
        each.answering = echo
    yield secured
    secured.good.context, secured.other.context = contexts
    told = repr(secured.running.events)
    assert VALUE not in told
    assert OTHER not in told
