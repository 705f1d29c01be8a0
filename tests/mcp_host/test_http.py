"""Over HTTP: nobody gets in without a key, nobody sees what is another's, and nothing outlives the server."""

import json
import os
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from mcp import MCPError

from tests.mcp_host.conftest import Client, Home, until
from tests.mcp_host.serving import INITIALIZE, Served, http_client, keyring, serving
from tests.mcp_host.test_ends import mine
from tests.mcp_host.tls import certificate_in, over_tls


@pytest.fixture(scope="module")
def http_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("mcp-http"))
    settings = home.path / ".config/aisbx/config.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text("[admission.rate]\nfiles = 5\n")
    return home


@pytest.fixture(scope="module")
def served(http_home: Home) -> Iterator[Served]:
    with serving(http_home, "--profile", "python-dev", "--allow-profile", "shell") as found:
        yield found


@pytest.fixture(scope="module")
def key(http_home: Home) -> str:
    return keyring(http_home).create("first", ["run", "files"])[1]


@pytest.fixture(scope="module")
def first(served: Served, key: str) -> Iterator[Client]:
    with http_client(served.url, key) as client:
        yield client


def bearer(key: str) -> str:
    return f"Authorization: Bearer {key}"


def test_a_key_lets_in_by_either_header(served: Served, key: str) -> None:
    for header in (bearer(key), f"authorization: bearer {key}", f"X-API-Key: {key}"):
        answer = served.ask(header)
        assert answer.status == 200
        assert answer.headers["mcp-session-id"]


REFUSALS: list[tuple[str, Callable[[str], list[str]], int]] = [
    ("no key", lambda _: [], 401),
    ("a wrong key", lambda key: [bearer(key[:-1] + ("A" if key[-1] != "A" else "B"))], 401),
    ("another scheme", lambda key: [f"Authorization: Basic {key}"], 401),
    ("a cookie", lambda key: [f"Cookie: key={key}"], 401),
    ("two keys", lambda key: [bearer(key), f"X-API-Key: {key[:-1]}"], 400),
    ("a forged host", lambda key: [bearer(key), "Host: evil.example"], 421),
    ("another port", lambda key: [bearer(key), "Host: 127.0.0.1:1"], 421),
    ("another address", lambda key: [bearer(key), "Host: 192.0.2.1"], 421),
    ("a forged origin", lambda key: [bearer(key), "Origin: http://evil.example"], 403),
    ("no page's origin", lambda key: [bearer(key), "Origin: null"], 403),
    ("another port's origin", lambda key: [bearer(key), "Origin: http://127.0.0.1:1"], 403),
]


@pytest.mark.parametrize(("headers", "status"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
def test_a_request_is_refused_with(headers: Callable[[str], list[str]], status: int, served: Served, key: str) -> None:
    answer = served.ask(*headers(key))
    assert answer.status == status
    assert answer.headers.get("www-authenticate", "").startswith("Bearer") == (status == 401)
    assert answer.headers["connection"] == "close"
    error = json.loads(answer.body)["error"]
    assert error["data"]["hint"]
    assert key not in answer.body.decode()


def test_a_host_or_an_origin_is_checked_before_the_key_and_two_hosts_are_none(served: Served) -> None:
    assert served.ask("Host: evil.example").status == 421
    assert served.ask(f"Host: 127.0.0.1:{served.port}", "Host: evil.example").status in {400, 421}


def test_a_key_that_has_ended_lets_nobody_in(served: Served, http_home: Home) -> None:
    ring = keyring(http_home)
    _, short = ring.create("short", ["run"], seconds=1)
    assert until(lambda: served.ask(bearer(short)).status == 401, 5)


def test_a_key_in_an_address_is_refused_with_what_to_do_and_written_nowhere(
    served: Served, key: str, http_home: Home
) -> None:
    secret = key.split("_", 2)[2]
    for line in (f"POST /mcp?key={key} HTTP/1.1", f"GET /mcp?api_key={key} HTTP/1.1"):
        answer = served.ask(line=line)
        assert answer.status == 400
        assert b"revoke" in answer.body
        assert served.ask(bearer(key), line=line).status == 400
    for file in filter(Path.is_file, http_home.path.rglob("*")):
        assert secret.encode() not in file.read_bytes(), file
    for name in ("cmdline", "environ"):
        assert secret.encode() not in Path(f"/proc/{served.process.pid}/{name}").read_bytes()
    kinds = [row["kind"] for row in http_home.audit()]
    assert "auth.denied" in kinds


def test_a_body_is_bounded_whether_its_size_is_said_or_not(served: Served, key: str) -> None:
    assert served.ask(bearer(key), body=b"", length=9 << 20).status == 413
    chunk = b"100000\r\n" + b" " * (1 << 20) + b"\r\n"
    assert served.ask(bearer(key), "Transfer-Encoding: chunked", body=chunk * 9).status == 413
    assert served.ask(body=b"", length=9 << 20).status == 401  # nobody's is not even looked at


def test_a_client_works_as_over_stdio(first: Client) -> None:
    assert first.call("run_command", command="echo hi > a; cat a").endswith("hi\n")
    assert first.call("read_file", path="a") == "hi\n"
    assert "shell" in first.call("aisbx-profile-list")


def test_another_key_sees_no_sandbox_no_process_and_no_session_of_the_first(
    served: Served, key: str, first: Client, http_home: Home
) -> None:
    told = first.call("run_command", command="echo mine > /tmp/a; sleep 60", yield_s=0)
    found = re.search(r"process (\w{8})", told)
    assert found
    first.call("sandbox_create", name="private")
    _, second_key = keyring(http_home).create("second", ["run", "files"])
    with http_client(served.url, second_key) as second:
        assert second.call("sandbox_list") == "none yet: run_command makes one"
        for refused in (
            second.refused("process_output", process=found[1]),
            second.refused("process_kill", process=found[1]),
            second.refused("run_command", command="true", sandbox="private"),
            second.refused("sandbox_destroy", name="private"),
        ):
            assert refused.startswith("not-found: ")
        assert "No such file" in second.call("run_command", command="cat /tmp/a")
    assert found[1] in first.call("sandbox_list")
    first.call("process_kill", process=found[1])
    # A session's id is no key: with another one it is as if it were not there.
    session = served.ask(bearer(key)).headers["mcp-session-id"]
    listing = b'{"jsonrpc":"2.0","id":2,"method":"tools/list"}'
    known = (f"Mcp-Session-Id: {session}", "MCP-Protocol-Version: 2025-11-25")
    assert served.ask(bearer(second_key), *known, body=listing).status == 404
    assert served.ask(*known, body=listing).status == 401
    assert served.ask(bearer(key), *known, body=listing).status == 200


def test_a_key_does_what_its_scopes_say_in_what_it_was_given(served: Served, http_home: Home, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("1")
    make = partial(keyring(http_home).create, workspace=str(tmp_path), mode="ro", profile="shell")
    made, files = make("files", ["files"])
    with http_client(served.url, files) as client:
        assert client.call("read_file", path="there") == "1"
        refused = client.refused("run_command", command="true")
        assert refused.startswith("denied: scope.run: this key may not use run_command")
        assert "aisbx key create --scope run" in refused
        client.refused("write_file", path="there", content="2")
    assert (tmp_path / "there").read_text() == "1"
    denial = next(row for row in http_home.audit() if row["kind"] == "scope.denied")
    assert denial["principal"] == f"key:{made.id}"
    both = make("both", ["run", "files"])[1]
    with http_client(served.url, both) as client:
        assert client.call("aisbx-profile-list").startswith("shell (the usual one)\neach")
        assert "--allow-profile" in client.refused("sandbox_create", name="wide", profile="python-dev")
        assert "Read-only" in client.call("run_command", command="echo 2 > there")


def test_whoever_asks_too_often_is_told_when_to_try_again_and_others_are_not(served: Served, http_home: Home) -> None:
    made, often = keyring(http_home).create("often", ["run"])
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "list_files", "arguments": {}}}
    body, two = json.dumps(call).encode(), json.dumps([call] * 9).encode()
    # Without a session the SDK refuses each of them: what is counted is what was asked for.
    assert [served.ask(bearer(often), body=body).status for _ in range(5)] == [400] * 5
    answer = served.ask(bearer(often), body=body)
    assert answer.status == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 12
    assert json.loads(answer.body)["error"]["data"]["code"] == "limited"
    assert served.ask(bearer(often)).status == 200
    _, other = keyring(http_home).create("other", ["run"])
    assert served.ask(bearer(other), body=body).status == 400
    assert served.ask(bearer(other), body=two).status == 429
    rows = [row["principal"] for row in http_home.audit() if row["kind"] == "limit.denied"]
    assert rows.count(f"key:{made.id}") == 1


def test_a_tool_is_counted_once_and_by_what_the_server_makes_of_it(http_home: Home, served: Served) -> None:
    _, key = keyring(http_home).create("once", ["files"])
    with http_client(served.url, key) as client:
        for _ in range(5):
            client.call("list_files")
        with pytest.raises(MCPError):
            client.call("list_files")


def test_what_a_revoked_key_had_ends(served: Served, http_home: Home) -> None:
    ring = keyring(http_home)
    made, gone = ring.create("gone", ["run"])
    marker = f"6{os.getpid()}1"
    with http_client(served.url, gone) as client:
        client.call("run_command", command=f"sleep {marker}", yield_s=0)
        assert until(lambda: bool(mine(marker)))
        ring.revoke(made.id)
        assert until(lambda: not mine(marker))
        assert served.ask(bearer(gone)).status == 401


def test_what_is_no_protocol_is_answered_and_the_server_goes_on(served: Served, key: str) -> None:
    for body in (b"", b"\0", b"[" * 100_000, b'{"jsonrpc": "2.0", "id": {}}', b'"x"', b"[]", b'{"a":' * 50_000):
        assert 400 <= served.ask(bearer(key), body=body).status < 500
    assert served.ask(bearer(key)).status == 200


@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL"])
def test_nothing_survives_the_server(how: str, tmp_path: Path) -> None:
    home = Home(tmp_path)
    _, key = keyring(home).create("ci", ["run"])
    marker = f"7{os.getpid()}{len(how)}"
    with serving(home) as server, http_client(server.url, key) as client:
        client.call("run_command", command=f"sleep {marker} & setsid sleep {marker} & wait", yield_s=0.2)
        assert until(lambda: len(mine(marker)) == 2)
        server.process.send_signal(getattr(signal, how))
        assert server.process.wait(20) == {"SIGTERM": 143, "SIGKILL": -9}[how]
        assert until(lambda: not home.sandboxes())
        assert until(lambda: not mine(marker))


def test_without_keys_over_tls_who_stays_away_loses_what_they_had(tmp_path: Path) -> None:
    home = Home(tmp_path)
    certificate, private = certificate_in(tmp_path)
    options = ("--no-auth", "--certfile", str(certificate), "--keyfile", str(private), "--idle", "1s")
    with serving(home, *options) as server:
        assert server.url.startswith("https:")
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as plain:
            plain.sendall(b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" + INITIALIZE)
            assert not plain.recv(100).startswith(b"HTTP/1.1 200")
        told = over_tls(server, certificate)
        assert b"none yet" in told or b"exit 0" in told
        assert until(lambda: len(home.sandboxes()) == 1)
        assert until(lambda: not home.sandboxes())
        assert server.process.poll() is None


def test_a_session_that_its_client_left_ends_when_all_of_the_clients_does(tmp_path: Path) -> None:
    with serving(Home(tmp_path), "--no-auth", "--idle", "1s") as server:
        session = f"Mcp-Session-Id: {server.ask().headers['mcp-session-id']}"
        ping = b'{"jsonrpc":"2.0","id":2,"method":"ping"}'
        assert server.ask(session, body=ping).status == 200
        time.sleep(2)  # a look would be a request
        assert server.ask(session, body=ping).status == 404
