"""What is believed of a supervisor, and what it is told."""

import json
import os
from collections.abc import Iterator
from dataclasses import fields, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aisbx.errors import AdmissionError, AisbxError, ControlError, PolicyError, RemoteError, StateError, UsageError
from aisbx.remote.asked import of_request
from aisbx.remote.host import audit
from aisbx.remote.inside import RemoteFiles
from aisbx.remote.server import KEY, Server
from aisbx.types import Network, NetworkMode, RunRequest, WorkspaceMode, WorkspaceRequest

TREE: dict[str, list[dict[str, Any]]] = {}


class Evil(BaseHTTPRequestHandler):
    """Answers as a supervisor that was taken over would."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        path = parse_qs(parts.query).get("path", [""])[0]
        if parts.path.endswith("/stat"):
            self._tell(200, {"name": "d", "kind": "directory", "mode": 0o755, "size": 0, "changed": 0.0})
        elif parts.path.endswith("/list"):
            self._tell(200, {"files": TREE[path]})
        elif "files" in parts.path:
            self._tell(200, b"planted")
        elif parts.path.endswith("/events"):
            last = self.headers["last-event-id"]
            half = b'id: 4\nevent: stdout\ndata: {"text": "tw'
            whole = b'id: 7\nevent: stdout\ndata: {"text": "two"}\n\nevent: end\ndata: {}\n\n'
            self._tell(200, b'id: 3\nevent: stdout\ndata: {"text": "one"}\n\n' + half if last == "0" else whole)
        else:
            code = parts.path.rpartition("/")[2]
            self._tell(403, {"code": code, "detail": "no\x1b[2J", "hint": "h", "retry_after": 3, "findings": ["f"]})

    def _tell(self, status: int, told: object) -> None:
        data = told if isinstance(told, bytes) else json.dumps(told).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


@pytest.fixture(scope="module")
def evil() -> Iterator[Server]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Evil) as server:
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield Server(f"http://127.0.0.1:{server.server_port}", "")
        server.shutdown()


@pytest.mark.parametrize("name", ["../planted", "..", ".", "/planted", "a/../../planted"])
def test_a_tree_that_is_copied_out_leads_nowhere_else(name: str, evil: Server, tmp_path: Path) -> None:
    TREE["/d"] = [{"name": name, "kind": "file", "mode": 0o4777, "size": 7, "changed": 0.0}]
    (tmp_path / "in").mkdir()
    with pytest.raises(StateError):
        RemoteFiles(evil, "sandboxes/x").pull("/d", str(tmp_path / "in"))
    assert not (tmp_path / "planted").exists()
    assert not (tmp_path / "in/planted").exists()


def test_a_file_that_is_copied_out_replaces_a_link_and_has_no_special_mode(evil: Server, tmp_path: Path) -> None:
    TREE["/d"] = [{"name": "f", "kind": "file", "mode": 0o4777, "size": 7, "changed": 0.0}]
    mine = tmp_path / "mine"
    mine.write_text("mine")
    (tmp_path / "in/d").mkdir(parents=True)
    (tmp_path / "in/d/f").symlink_to(mine)
    assert RemoteFiles(evil, "sandboxes/x").pull("/d", str(tmp_path / "in")) == []
    assert (mine.read_text(), (tmp_path / "in/d/f").read_text()) == ("mine", "planted")
    assert (tmp_path / "in/d/f").lstat().st_mode & 0o7000 == 0


def test_a_name_that_is_no_text_is_left_out_with_a_line_and_never_taken_for_another(
    evil: Server, tmp_path: Path
) -> None:
    odd = os.fsdecode(os.fsencode(tmp_path / "n") + b"\xff")
    TREE["/d"] = [{"name": "n\ufffd", "kind": "file", "mode": 0o644, "size": 7, "changed": 0.0}]
    files = RemoteFiles(evil, "sandboxes/x")
    (tmp_path / "in").mkdir()
    assert [line.partition(": ")[2] for line in files.pull("/d", str(tmp_path / "in"))] == ["its name is no UTF-8"]
    Path(odd).write_text("x")
    assert [line.partition(": ")[2] for line in files.push(odd, "/n")] == ["its name is no UTF-8"]
    with pytest.raises(UsageError, match="no UTF-8"):
        files.stat(odd)
    with pytest.raises(UsageError, match="1000 records"):
        audit(evil, 1001, 0.0)


@pytest.mark.parametrize(
    ("code", "kind"), [("denied", PolicyError), ("limited", AdmissionError), ("not-enforced", ControlError)]
)
def test_an_error_is_the_one_that_it_was_there(code: str, kind: type[Exception], evil: Server) -> None:
    with pytest.raises(kind) as raised:
        evil.get(code)
    assert raised.value.code == code  # type: ignore[attr-defined]
    assert raised.value.findings == ("f",)  # type: ignore[attr-defined]


def test_an_event_of_which_a_killed_supervisor_sent_a_part_is_asked_for_again(evil: Server) -> None:
    events = [(kind, data, number) for kind, data, number in evil.follow("sandboxes/x/processes/y")]
    assert events == [("stdout", {"text": "one"}, 3), ("stdout", {"text": "two"}, 7), ("end", {}, 7)]


def test_nothing_that_is_asked_for_is_left_out_silently() -> None:
    told: dict[str, Any] = {
        "profile": ("p",),
        "workspace": WorkspaceRequest(".", WorkspaceMode.RO),
        "environment": {"A": "b"},
        "network": Network(NetworkMode.NONE),
        "limits": {"pids": 3.0},
    }
    request = RunRequest(command=("true",), cwd="/x", **told)
    body = of_request(request)
    assert body == {"profile": "p", "mode": "ro", "env": {"A": "b"}, "network": "none", "pids": 3}
    for one in fields(request):
        if one.name not in {"command", "cwd", *told}:
            with pytest.raises(UsageError, match="decides that"):
                of_request(replace(request, **{one.name: ("other",)}))


def test_a_key_goes_nowhere_in_the_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="others on the network"):
        Server("http://sandboxes.example:8080", "aisbx_0123456789ab_x")
    monkeypatch.setenv(KEY, "aisbx_0123456789ab_x")
    for host in ("10.0.0.1", "localhost.example", "127.evil.example"):
        with pytest.raises(UsageError, match="others on the network"):
            Server(f"http://{host}:8080")
    for address in ("http://localhost:1", "http://127.0.0.1:1", "http://[::1]:1", "https://sandboxes.example"):
        Server(address)


@pytest.mark.parametrize(
    "address", ["", "x", "unix:", "ftp://h", "http://", "http://h/api", "http://u:p@h", "http://h:x"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(UsageError):
        Server(address, "")


def test_who_does_not_answer_is_told(tmp_path: Path) -> None:
    with pytest.raises(RemoteError, match="cannot be asked"):
        Server(f"unix:{tmp_path}/none", "").get("sandboxes")


def test_who_has_no_key_is_told_where_to_put_one(evil: Server) -> None:
    with pytest.raises(AisbxError) as caught:
        evil.get("unauthenticated")
    assert (caught.value.code, caught.value.hint.split(" to ")[0]) == ("unauthenticated", f"set {KEY}")
    with pytest.raises(AisbxError) as caught:
        Server(evil.address, "one").get("unauthenticated")
    assert caught.value.hint == "h"  # as that supervisor has it
