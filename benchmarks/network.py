"""A network with names and servers of its own, which nothing outside can see: `python -m benchmarks.network`.

    python -m benchmarks.network DIRECTORY -- COMMAND [ARGUMENT]...

runs a command where `NAMES` are hosts (on 127.0.0.2), each of which serves HTTP, HTTPS by a certificate of the
authority in DIRECTORY/ca.pem, on `ECHO` what it gets, and on 22 a greeting. What lies
below `/secret` is for who sends what DIRECTORY/secret has, where that is. No right is needed but to make namespaces.
"""

import base64
import contextlib
import fcntl
import http.server
import os
import socket
import ssl
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from aisbx_linux import syscalls

from benchmarks.certificates import authority

NAMES = ("web.example", "files.example", "other.example", "a.wild.example")
ADDRESS = "127.0.0.2"
ECHO = 9000
_NEW_NETWORK = 0x40000000
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _UP = 0x8913, 0x8914, 1


def enter(directory: Path) -> None:
    """Have this process, which has one thread, in a network of its own where `NAMES` are hosts."""
    uid, gid = os.geteuid(), os.getegid()
    syscalls.unshare(_NEW_NETWORK | syscalls.CLONE_NEWNS | (syscalls.CLONE_NEWUSER if uid else 0))
    if uid:
        for name, text in (("uid_map", f"{uid} {uid} 1"), ("setgroups", "deny"), ("gid_map", f"{gid} {gid} 1")):
            Path(f"/proc/self/{name}").write_text(text)
    syscalls.mount("none", "/", "", syscalls.MS_REC | syscalls.MS_SLAVE, "")
    hosts = directory / "hosts"
    # With the dot too: the proxy asks for a name as it is, not as part of another domain.
    rows = [f"{ADDRESS} {name} {name}." for name in NAMES]
    hosts.write_text("\n".join(["127.0.0.1 localhost", *rows, ""]))
    syscalls.mount(str(hosts), "/etc/hosts", "", 4096, "")  # MS_BIND
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        asked = struct.pack("16sh22x", b"lo", 0)
        (flags,) = struct.unpack_from("h", fcntl.ioctl(control, _SIOCGIFFLAGS, asked), 16)
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", flags | _UP))


def serve(directory: Path, root: Path) -> None:
    """Serve all of it from threads: `root`/HOST is what a host shows, `/hello` is there on each."""
    certificate, key = authority(directory, NAMES)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    secret = directory / "secret"

    class Handler(Pages):
        shown = root
        key = secret.read_text() if secret.exists() else ""

    for port, secured in ((80, None), (443, context)):
        server = http.server.ThreadingHTTPServer((ADDRESS, port), Handler)
        if secured is not None:
            server.socket = secured.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, daemon=True).start()
    for port, answer in ((ECHO, _echo), (22, _greet)):
        listener = socket.create_server((ADDRESS, port), backlog=1024)
        threading.Thread(target=_accept, args=(listener, answer), daemon=True).start()


class Pages(http.server.SimpleHTTPRequestHandler):
    """Files of a directory for each host, and a greeting."""

    shown: Path
    key: str
    """What has to be sent for what lies below `/secret`; `/secret/hello` shows what was."""
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Give a greeting, or a file."""
        self.directory = str(self.shown / str(self.headers.get("Host", "")).partition(":")[0])
        sent = self._sent()
        if self.path.startswith("/secret/") and self.key not in sent:
            self._say(401, "who are you?\n")
        elif self.path in {"/hello", "/secret/hello"}:
            shown = f" {sent}" if self.path != "/hello" else ""
            self._say(200, f"hello from {self.headers.get('Host')}{shown}\n")
        else:
            super().do_GET()

    def _sent(self) -> str:
        """Give the key that was sent: in a field of its own, to a bearer, or as a password."""
        kind, _, word = str(self.headers.get("Authorization", "")).partition(" ")
        with contextlib.suppress(ValueError):
            word = base64.b64decode(word).decode() if kind == "Basic" else word
        return f"{self.headers.get('X-API-Key', '')} {word}"

    def _say(self, status: int, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        if status == 401:  # noqa: PLR2004 - unauthorized
            self.send_header("WWW-Authenticate", 'Basic realm="secret"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name is the base class's
        """Say nothing."""


def _accept(listener: socket.socket, answer: Callable[[socket.socket], None]) -> None:
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=answer, args=(connection,), daemon=True).start()


def _echo(connection: socket.socket) -> None:
    with connection, contextlib.suppress(OSError):
        while data := connection.recv(1 << 16):
            connection.sendall(data)


def _greet(connection: socket.socket) -> None:
    """Say what a server of SSH says first, and no more (RFC 4253, 4.2)."""
    with connection, contextlib.suppress(OSError):
        connection.sendall(b"SSH-2.0-aisbx\r\n")
        connection.recv(1000)


def main(words: list[str]) -> int:
    """Run a command there; gives its exit code."""
    directory = Path(words[0]).resolve()
    (directory / "root").mkdir(exist_ok=True)
    enter(directory)
    serve(directory, directory / "root")
    return subprocess.run(words[words.index("--") + 1 :], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
