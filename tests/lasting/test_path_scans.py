"""Who tries path after path is found by the proxy of a real sandbox; who asks for many that are there is not."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from aisbx import Sandbox
from aisbx.violations.read import Wanted, violations

from .conftest import Box

ASK = """
import socket, sys
place, path, first, end = sys.argv[1:]
for number in range(int(first), int(end)):
    proxy = socket.create_connection(("127.0.0.1", 3128))
    proxy.sendall(f"GET http://{place}{path}{number}?key=K HTTP/1.1\\r\\nHost: {place}\\r\\n\\r\\n".encode())
    print(proxy.recv(99).split()[1].decode())
"""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of a server that has all that is below /open/there/, and nothing else."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path.startswith("/open/there/") else 404)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def told(box: Box) -> list[tuple[str, str, object]]:
    found, _ = violations(str(box.state / "audit.jsonl"), Wanted(sandbox="scans", severity="medium"))
    return [(row.text("severity"), row.text("rule"), row.data["arguments"]) for row in found]


def test_paths_that_are_refused_or_missing_make_a_scan_and_those_of_an_installation_do_not(
    whole: Box, port: int
) -> None:
    profiles = whole.home / ".config/aisbx/profiles"
    profiles.mkdir(parents=True, mode=0o700)
    rules = f'["localhost:{port} GET /open/*", "127.0.0.1:{port}"]'
    (profiles / "web.yaml").write_text(f"extends: base\nnetwork: {{allow: {rules}}}\n")
    place = f"localhost:{port}"

    def ask(sandbox: Sandbox, path: str, first: int, end: int) -> set[str]:
        argv = ["/usr/bin/python3", "-I", "-S", "-c", ASK, place, path, str(first), str(end)]
        return set(sandbox.exec(argv, check=True).text.split())

    with Sandbox.create("scans", profile="web") as sandbox:
        assert ask(sandbox, "/open/there/", 0, 200) == {"200"}
        assert ask(sandbox, "/open/missing/", 0, 40) == {"404"}
        assert ask(sandbox, "/shut/", 0, 15) == {"403"}
        assert told(whole) == []
        assert ask(sandbox, "/open/missing/", 40, 90) == {"404"}
        assert ask(sandbox, "/shut/", 15, 35) == {"403"}
    host = {"host": "localhost"}
    assert told(whole) == [("medium", "http-path-guessing", host), ("high", "http-path-scan", host)]
    lines = (whole.state / "audit.jsonl").read_text().splitlines()
    log = [line for line in lines if '"kind":"exec' not in line]  # these have the words of commands
    assert any('"path":"/shut/34"' in line for line in log)
    assert not any("key=K" in line for line in log)
