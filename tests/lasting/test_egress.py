"""A sandbox with an allow-list reaches what that names, through its proxy; nothing else, and not without a record."""

import contextlib
import gzip
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Generator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from .conftest import Box

ANSWER = b"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nserved"
FETCH = "curl -sS --max-time 10 --noproxy none"


@pytest.fixture
def server() -> Iterator[int]:
    """The port of a server on the host's loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    with client, contextlib.suppress(OSError):
                        client.recv(1 << 16)
                        client.sendall(ANSWER)

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def allowing(port: int) -> list[str]:
    return ["--network", f"allow=localhost:{port},127.0.0.1:{port}"]


def records(box: Box, kind: str) -> list[dict[str, object]]:
    rows = [json.loads(line) for line in (box.state / "audit.jsonl").read_text().splitlines()]
    return [row["egress"] for row in rows if row["kind"] == kind]


def proxies(box: Box) -> list[int]:
    """The processes that hold an allow-list for this home's sandboxes."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if (
                entry.name.isdigit()
                and f"aisbx.egress.server\0{box.state}\0".encode() in (entry / "cmdline").read_bytes()
            ):
                found.append(int(entry.name))
    return found


def gone(pids: set[int]) -> bool:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        if not pids & {pid for pid in pids if Path(f"/proc/{pid}").exists()}:
            return True
        time.sleep(0.02)
    return False


def configure(box: Box, text: str) -> None:
    place = box.home / ".config" / "aisbx"
    place.mkdir(parents=True, mode=0o700)
    (place / "config.toml").write_text(text)


def test_a_run_reaches_what_is_allowed_and_nothing_else(box: Box, server: int) -> None:
    script = (
        f"{FETCH} http://localhost:{server}/; echo; {FETCH} -p http://127.0.0.1:{server}/; echo;"
        f"{FETCH} http://example.org/; {FETCH} https://example.org/;"
        f"{FETCH} -x '' http://127.0.0.1:{server}/; {FETCH} http://127.0.0.2:{server}/"
    )
    before = set(proxies(box))
    for _ in range(2):  # the second by the plan that the first has kept
        done = box("run", *allowing(server), "--", "sh", "-c", script)
        lines = done.stdout.splitlines()
        assert lines[:2] == ["served", "served"]
        assert lines[2:] == [
            "aisbx: example.org:80 is refused: no rule allows it",
            f"aisbx: 127.0.0.2:{server} is refused: no rule allows it",
        ]
        assert "403" in done.stderr  # the tunnel
        assert f"port {server}" in done.stderr  # without the proxy there is nobody
    assert gone(set(proxies(box)) - before)
    rules = {str(row["rule"]) for row in records(box, "egress.allowed")}
    assert rules == {f"localhost:{server}", f"127.0.0.1:{server}"}
    refused = {(row["host"], row["port"], row["reason"]) for row in records(box, "egress.refused")}
    assert {port for host, port, _ in refused if host == "example.org"} == {80, 443}


@contextlib.contextmanager
def collector() -> Generator[tuple[int, list[bytes]]]:
    """Take OTLP over HTTP, as a collector does: its port, and what came."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            bodies.append(gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name is the base class's
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield made.server_port, bodies
        made.shutdown()
        thread.join()


def test_each_decision_has_reached_a_sink_with_its_rule_before_the_command_ends(box: Box, server: int) -> None:
    with collector() as (port, bodies):
        sink = f'[sink_settings.otel]\nendpoint = "http://127.0.0.1:{port}/v1/traces"\ntimeout = 5\n'
        configure(box, f'sinks = ["otel"]\n{sink}')
        box.out(
            "create", "--name", "told", "--network", f"allow=localhost:{server},127.0.0.1:{server},deny evil.example"
        )
        running = box.start(
            *("exec", "told", "--", "sh", "-c"),
            f"{FETCH} http://localhost:{server}/; {FETCH} http://evil.example/; echo; sleep 60",
        )
        assert running.stdout is not None
        assert b"a rule denies it" in b"".join(running.stdout.readline() for _ in range(2))
        told = b"".join(bodies)
        running.kill()
        running.communicate()
        for kind, rule in ((b"egress.allowed", f"localhost:{server}"), (b"egress.refused", "deny evil.example")):
            assert kind in told
            assert rule.encode() in told


def test_a_grant_goes_no_further_than_the_profiles_restriction(box: Box) -> None:
    own = box.home / ".config" / "aisbx" / "profiles"
    own.mkdir(parents=True, mode=0o700)
    (own / "narrow.yaml").write_text("restriction: true\nnetwork: {allow: ['*.a.example']}\n")
    box.out("create", "--name", "narrow", "-p", "base+narrow", "--network", "allow=x.a.example")
    box.out("grant", "narrow", "y.a.example")
    line = box.refused("grant", "narrow", "b.example", code="denied")
    assert "does not allow b.example" in line
    box.out("create", "--name", "none")
    assert "not an allow-list" in box.refused("grant", "none", "b.example", code="usage")


def test_without_a_proxy_installed_a_run_is_refused(box: Box) -> None:
    configure(box, '[plugins]\ndisable = ["aisbx-egress"]\n')
    done = box("run", "--network", "allow=a.example", "--", "touch", "here")
    assert done.returncode == 125
    assert len(done.stderr.splitlines()) == 1
    assert "aisbx-egress" in done.stderr
    assert not (box.project / "here").exists()


def test_a_setting_of_the_proxy_that_is_none_is_refused_with_its_line(box: Box) -> None:
    configure(box, "[egress.allowlist]\nidle = 0\n")
    done = box("run", "--network", "allow=a.example", "--", "true")
    assert done.returncode == 125
    assert "config.toml:2" in done.stderr


def test_the_network_ends_with_its_proxy_and_the_proxy_with_its_launcher(box: Box, server: int) -> None:
    before = set(proxies(box))
    fetch = f"{FETCH} http://localhost:{server}/"
    running = box.start("run", *allowing(server), "--", "sh", "-c", f"{fetch}; echo; sleep 60")
    assert running.stdout is not None
    assert running.stdout.readline() == b"served\n"
    (proxy,) = set(proxies(box)) - before
    running.send_signal(signal.SIGKILL)
    running.wait()
    running.stdout.close()
    assert running.stderr is not None
    running.stderr.close()
    assert gone({proxy})


def test_a_sandbox_that_lasts_keeps_its_proxy_until_it_is_destroyed(box: Box, server: int) -> None:
    before = set(proxies(box))
    assert box("create", "--name", "net", *allowing(server)).returncode == 0
    (proxy,) = set(proxies(box)) - before
    fetch = f"{FETCH} http://localhost:{server}/"
    assert box("exec", "net", "--", "sh", "-c", fetch).stdout == "served"
    assert records(box, "egress.allowed")
    other = f"{FETCH} http://127.0.0.2:{server}/"
    assert "no rule allows it" in box("exec", "net", "--", "sh", "-c", other).stdout
    box.out("grant", "net", f"127.0.0.2:{server}", "--ttl", "1h")
    assert "Connection refused" in box("exec", "net", "--", "sh", "-c", other).stdout  # it was asked, and is not there
    (granted,) = box.json("grant", "net", "--json")["grants"]
    assert granted["rule"] == f"127.0.0.2:{server}"
    box.out("grant", "net", f"127.0.0.2:{server}", "--withdraw")
    assert "no rule allows it" in box("exec", "net", "--", "sh", "-c", other).stdout
    assert "has no port" in box.refused("grant", "net", "http://x", code="usage")
    os.kill(proxy, signal.SIGKILL)
    assert gone({proxy})
    assert box("exec", "net", "--", "sh", "-c", fetch).returncode != 0  # nobody decides, so nothing is allowed
    assert box("destroy", "net").returncode == 0
