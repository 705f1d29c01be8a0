"""A real service, started as it is in earnest, and ways to ask it."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from aisbx.engine import Engine
from aisbx.keys import Keyring
from aisbx.store import Store
from aisbx.types import Principal

HANDED = """
import os, sys
os.environ["LISTEN_PID"] = str(os.getpid())
os.dup2(int(sys.argv[1]), 3)
os.execv(sys.argv[2], sys.argv[2:])
"""
SERVER = [sys.executable, "-I", "-m", "aisbx_supervisor"]


@dataclass
class Home:
    """A home of its own, and services in it."""

    path: Path

    @property
    def env(self) -> dict[str, str]:
        return {"HOME": str(self.path), "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}

    @property
    def state(self) -> Path:
        return self.path / ".local/state/aisbx"

    def key(self, name: str, *scopes: str, **more: Any) -> str:
        return Keyring(self.state).create(name, scopes or ("run", "files"), **more)[1]

    def sandboxes(self) -> list[str]:
        place = self.state / "sandboxes"
        return sorted(os.listdir(place)) if place.exists() else []

    def audit(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.state / "audit.jsonl").read_text().splitlines()]


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class ByPath(HTTPConnection):
    """A connection to a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=30)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(30)
        self.sock.connect(self._path)


@dataclass
class Served:
    """A service that is there; `key` is what is shown where nothing else is said."""

    process: "subprocess.Popen[bytes]"
    address: str
    key: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def connection(self) -> HTTPConnection:
        if self.address.startswith("unix:"):
            return ByPath(self.address.removeprefix("unix:"))
        return HTTPConnection("127.0.0.1", self.port, timeout=30)

    def begin(
        self, method: str, path: str, body: Any = None, *, key: str | None = None, **headers: str
    ) -> tuple[HTTPConnection, HTTPResponse]:
        """Send a request and give the answer's head; whoever asks closes the connection."""
        connection = self.connection()
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        shown = self.key if key is None else key
        if shown:
            sent.setdefault("Authorization", f"Bearer {shown}")
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        connection.request(method, path if path.startswith("/") else f"/api/v1/{path}", body, sent)
        return connection, connection.getresponse()

    def ask(self, method: str, path: str, body: Any = None, *, key: str | None = None, **headers: str) -> Answer:
        connection, response = self.begin(method, path, body, key=key, **headers)
        try:
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read())
        finally:
            connection.close()

    def done(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """Give the data of an answer, which must be no problem."""
        answer = self.ask(method, path, body, **more)
        assert answer.status < 300, answer.body
        return answer.json if answer.body else None

    def refused(self, status: int, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """Give the problem of an answer, which must be one with that status."""
        answer = self.ask(method, path, body, **more)
        assert answer.status == status, answer.body
        assert answer.headers["content-type"] == "application/problem+json"
        found = answer.json
        assert found["status"] == status
        assert found["type"] == f"urn:aisbx:error:{found['code']}"
        return found

    def run(self, box: str, *argv: str, **more: Any) -> Any:
        return self.done("POST", f"sandboxes/{box}/exec", {"argv": argv, **more})

    def events(self, path: str, body: Any = None, **headers: str) -> Iterator[tuple[str, str, Any]]:
        """Give (id, kind, data) of each event; the connection ends with the iteration."""
        method = "GET" if body is None else "POST"
        connection, response = self.begin(method, path, body, Accept="text/event-stream", **headers)
        try:
            assert response.status == 200, response.read()
            row: dict[str, str] = {}
            for line in response:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name:
                    row[name] = value
                elif "event" in row:
                    yield row.get("id", ""), row["event"], json.loads(row["data"])
                    row = {}
        finally:
            connection.close()


MUCH = {
    f"AISBX_ADMISSION__{what}__{scope}": "1000000"
    for what in ("RATE", "CONCURRENT")
    for scope in ("RUN", "FILES", "ADMIN", "PROTOCOL")
}
"""Limits that a test does not meet, for a service's environment."""


@contextmanager
def serving(
    home: Home,
    *options: str,
    key: str = "",
    env: dict[str, str] | None = None,
    listener: socket.socket | None = None,
    server: Sequence[str] = SERVER,
) -> Generator[Served]:
    """Start a service on a port that is free, where the options say, or with a socket as systemd hands it over.

    Whatever is left of it ends.
    """
    stderr = home.path / f"stderr-{time.monotonic_ns()}"
    where = () if "--uds" in options or listener else ("--port", "0")
    places = () if "--workspaces" in options else ("--workspaces", str(home.path / "boxes"))
    with stderr.open("wb") as file:
        argv, handed, environ = [*server, *where, *places, *options], (), {**home.env, **(env or {})}
        if listener is not None:
            argv, handed = [server[0], "-c", HANDED, str(listener.fileno()), *argv], (listener.fileno(),)
            environ["LISTEN_FDS"] = "1"
        null = subprocess.DEVNULL
        process = subprocess.Popen(argv, env=environ, cwd="/", stdin=null, stderr=file, pass_fds=handed)
    try:

        def told() -> "re.Match[str] | None":
            return re.search(r"serving (\S+)", stderr.read_text())

        assert until(lambda: told() is not None or process.poll() is not None)
        found = told()
        assert found, stderr.read_text()
        yield Served(process, found[1], key)
    finally:
        process.kill()
        process.wait()


def clear(home: Home) -> None:
    """End what a service has left."""
    sandboxes = Engine(home.env, "/").sandboxes
    for name in sandboxes.names():
        sandboxes.destroy(name, Principal("test"), "test", discard=True)


@contextmanager
def asked_aside(served: Served, method: str, path: str, body: Any) -> Generator[list[Answer]]:
    answers: list[Answer] = []

    def ask() -> None:
        try:
            answers.append(served.ask(method, path, body))
        except OSError:
            answers.append(Answer(0, {}, b""))

    thread = Thread(target=ask)
    thread.start()
    yield answers
    thread.join(30)


def waiting(home: Home) -> list[str]:
    """Give the sandboxes of pools that are whole and nobody's."""
    store = Store(home.state)
    records = [store.read(name) for name in store.names()]
    return [record.name for record in records if record is not None and record.principal == "pool"]


def until(holds: Callable[[], bool], seconds: float = 60.0) -> bool:
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


@pytest.fixture(scope="package")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    found = Home(tmp_path_factory.mktemp("supervisor"))
    yield found
    clear(found)


@pytest.fixture(scope="package")
def served(home: Home) -> Iterator[Served]:
    """One service for all who only ask it."""
    limits = {"AISBX_ADMISSION__RATE__RUN": "5000", "AISBX_ADMISSION__RATE__FILES": "5000"}
    limits |= {"AISBX_ADMISSION__RATE__PROTOCOL": "10000", "AISBX_ADMISSION__RATE__ADMIN": "5000"}
    options = ("--profile", "shell", "--allow-origin", "https://pages.example")
    with serving(home, *options, key=home.key("first"), env=limits) as found:
        yield found


@pytest.fixture(scope="package")
def box(served: Served) -> str:
    """A sandbox that is there."""
    name: str = served.done("POST", "sandboxes", {"name": "box"})["name"]
    return name
