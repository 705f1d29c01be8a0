"""A real server for alerts, which notes what comes and answers as it is told."""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class Hook:
    """What came: bodies, and headers by lower-case names."""

    def __init__(self) -> None:
        self.url = ""
        self.statuses: list[int] = []
        """Of the first answers; 204 for those after them."""
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.held = threading.Event()
        """No answer until it is set."""
        self.held.set()

    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(body)["data"] for body in self.bodies]

    def signed_by(self, key: bytes, place: int = 0) -> bool:
        """Tell, without a line of ours, whether a request was signed by whoever has the key."""
        headers, body = self.headers[place], self.bodies[place]
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        made = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
        return headers["webhook-signature"] == f"v1,{made}"


@contextmanager
def hook() -> Generator[Hook]:
    made = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            made.held.wait(20)
            made.bodies.append(body)
            made.headers.append({name.lower(): value for name, value in self.headers.items()})
            status = made.statuses.pop(0) if made.statuses else 204
            self.send_response(status)
            self.send_header("location", made.url + "/elsewhere")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield made
    finally:
        made.held.set()
        server.shutdown()
        server.server_close()


def with_hook(home: Path, made: Hook) -> None:
    """Have the settings of a home send alerts there, signed by `what-signs-alerts`."""
    config = home / ".config/aisbx"
    (config / "secrets").mkdir(parents=True, mode=0o700)
    (config / "secrets/hook").write_bytes(b"what-signs-alerts")
    (config / "secrets/hook").chmod(0o600)
    (config / "config.toml").write_text(f'[alerts]\nurl = "{made.url}"\nsecret = "file:hook"\n')
