"""Nobody gets in without a key, what is not for us is refused, and what is too much is too."""

import json
import os
import socket
from pathlib import Path

import pytest
from aisbx_supervisor.main import main

from tests.supervisor.conftest import Home, Served, serving, until


def test_health_tells_of_real_checks_in_the_form_that_was_asked_for(served: Served) -> None:
    found = served.done("GET", "/health", key="")
    assert set(found) == {"status", "lastCheck", "checks"}
    assert {"drivers", "state", "disk", "audit", "sinks", "pool", "clock"} <= found["checks"].keys()
    for name, check in found["checks"].items():
        assert set(check) == {"name", "status", "message", "lastRun"}
        assert check["name"] == name
    assert found["status"] in {"healthy", "degraded"}, found


NAMES = {
    *(
        "aisbx_requests_total",
        "aisbx_request_duration_seconds_bucket",
        "aisbx_active_connections",
        "aisbx_errors_total",
    ),
    *("aisbx_sandbox_starts_total", "aisbx_sandbox_stops_total", "aisbx_sandbox_duration_seconds_bucket"),
    *("aisbx_cpu_usage_percent", "aisbx_memory_usage_bytes", "aisbx_disk_usage_bytes", "aisbx_denials_total"),
}


def test_metrics_have_the_names_that_were_asked_for_and_no_label_of_a_client(served: Served) -> None:
    served.refused(404, "GET", "sandboxes/nobody-has-this")
    made = served.done("POST", "sandboxes", {"name": "counted"})
    served.done("DELETE", f"sandboxes/{made['name']}")
    served.ask("BREW", "/metrics")

    def seen() -> str:
        return served.ask("GET", "/metrics", key="").body.decode()

    assert until(lambda: 'aisbx_sandbox_stops_total{reason="destroyed"}' in seen())
    assert until(lambda: all(name in seen() for name in NAMES - {"aisbx_denials_total"})), NAMES
    text = seen()
    assert 'aisbx_errors_total{code="not-found"}' in text
    assert 'aisbx_requests_total{method="GET",route="/api/v1/sandboxes/{name}",status="404"}' in text
    assert 'aisbx_request_duration_seconds_count{route="/metrics"}' in text
    for private in ("nobody-has-this", "counted", "BREW", "key:"):
        assert private not in text


REFUSALS: list[tuple[str, dict[str, str], int]] = [
    ("no key", {"Authorization": ""}, 401),
    ("a wrong key", {"Authorization": "Bearer aisbx_0123456789ab_" + "A" * 43}, 401),
    ("two keys", {"X-API-Key": "aisbx_x"}, 400),
    ("too long a head", {"X-Long": "x" * 40_000}, 431),
    ("a forged host", {"Host": "evil.example"}, 421),
    ("another port", {"Host": "127.0.0.1:1"}, 421),
    ("a forged origin", {"Origin": "http://evil.example"}, 403),
    ("no page's origin", {"Origin": "null"}, 403),
]


@pytest.mark.parametrize(("headers", "status"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
def test_a_request_is_refused_with(headers: dict[str, str], status: int, served: Served) -> None:
    found = served.refused(status, "GET", "sandboxes", **headers)
    assert found["hint"]
    if headers.keys() & {"Host", "Origin"}:  # what needs no key is told to no page of a browser either
        served.refused(status, "GET", "/metrics", key="", **headers)


def test_what_is_no_http_is_answered_with_a_problem(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.port), timeout=20) as one:
        one.sendall(b"\x16\x03\x01 no http\r\n\r\n")
        head, _, body = one.makefile("rb").read().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"application/problem+json" in head
    assert json.loads(body)["code"] == "usage"


def test_a_page_of_an_origin_that_may_is_let_in_by_the_browser_and_no_other(served: Served) -> None:
    first = {"Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "authorization"}
    page = {"Origin": "https://pages.example"}
    asked = served.ask("OPTIONS", "sandboxes", key="", **page, **first)
    assert (asked.status, asked.headers["access-control-allow-origin"]) == (204, "https://pages.example")
    assert "Authorization" in asked.headers["access-control-allow-headers"]
    for key, status in ((None, 200), ("", 401)):  # a page has to be able to read a problem, too
        answer = served.ask("GET", "sandboxes", key=key, **page)
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (status, "https://pages.example")
    for other in ({"Origin": "https://evil.example"}, {}):
        answer = served.ask("OPTIONS", "sandboxes", key="", **other, **first)
        assert (answer.status in {401, 403}, "access-control-allow-origin" in answer.headers) == (True, False)


def test_a_key_in_an_address_is_refused_with_what_to_do(served: Served) -> None:
    assert "revoke" in served.refused(400, "GET", f"sandboxes?after={served.key}")["hint"]


def test_a_body_is_bounded_also_where_it_does_not_say_how_large_it_is(served: Served) -> None:
    served.refused(413, "POST", "sandboxes", b"", Content_Length=str((8 << 20) + 1))
    with socket.create_connection(("127.0.0.1", served.port), timeout=20) as raw:
        head = f"POST /api/v1/sandboxes HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nX-API-Key: {served.key}\r\n"
        raw.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        try:
            for _ in range(130):
                raw.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert raw.recv(100).startswith(b"HTTP/1.1 413")


def test_errors_of_a_body_say_where_and_an_unknown_member_is_one(served: Served) -> None:
    found = served.refused(422, "POST", "sandboxes", {"naem": "x", "ttl": 0})
    assert {row["where"] for row in found["errors"]} == {"body.naem", "body.ttl"}
    for body in (b"", b"\0", b"[" * 100_000, b'{"name": "\\ud800"}', b"[]", b"null"):
        assert served.ask("POST", "sandboxes", body, Content_Type="application/json").status in {400, 422}


def test_a_scope_is_needed_and_admin_is_one(served: Served, home: Home, box: str) -> None:
    files = home.key("files-only", "files")
    assert served.refused(403, "POST", f"sandboxes/{box}/exec", {"argv": ["true"]}, key=files)["code"] == "denied"
    for path in ("keys", "secrets", "configuration", "doctor", "audit/verification", "sandboxes?all=true"):
        served.refused(403, "GET", path)
    for method, path in (("POST", "configuration/reload"), ("DELETE", f"sandboxes/{box}/grants?rule=a.example")):
        served.refused(403, method, path)
    served.refused(403, "POST", f"sandboxes/{box}/grants", {"rule": "a.example"})
    served.refused(409, "GET", f"sandboxes/{box}/grants")  # its network is none, whoever asks
    assert any(row["kind"] == "scope.denied" for row in home.audit())


def test_a_unix_socket_lets_its_user_in_without_a_key_and_who_shows_one_has_what_that_has(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home, path = Home(tmp_path), tmp_path / "s"
    limited = {"AISBX_ADMISSION__RATE__FILES": "2"}
    with serving(home, "--profile", "shell", "--uds", str(path), env=limited) as other:
        assert path.stat().st_mode & 0o777 == 0o600
        assert other.done("GET", "configuration")["settings"]
        key = home.key("a", "files")
        other.refused(403, "GET", "configuration", key=key)
        there = "sandboxes/none/files/list"
        assert [other.ask("GET", there, key=key).status for _ in range(3)] == [404, 404, 429]
        assert int(other.ask("GET", there, key=key).headers["retry-after"]) > 0
        assert main(["--uds", str(path)]) == 125
        assert "serves" in capsys.readouterr().err
        unhealthy_without_its_state(other, home)


def unhealthy_without_its_state(served: Served, home: Home) -> None:
    home.state.rename(home.path / "away")
    home.state.write_text("no directory")
    assert until(lambda: served.ask("GET", "/health").status == 503)  # what was found holds for seconds
    answer = served.ask("GET", "/health")
    assert answer.json["checks"]["state"]["status"] == "unhealthy"
    assert str(home.path) not in answer.body.decode()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--no-auth", "--host", "0.0.0.0", "--port", "0"], "can be reached by others"),
        (["--uds", "/x", "--port", "1"], "in place of"),
        (["--certfile", "/x"], "go together"),
        (["--profile", "no-such-profile", "--port", "0"], "no-such-profile"),
        (["--workspace", "/", "--port", "0"], "root of the file system"),
    ],
)
def test_options_that_cannot_be_end_it_with_a_line(
    options: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in list(os.environ):
        if name.startswith(("XDG_", "AISBX_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert main(["--workspaces", str(tmp_path / "boxes"), *options]) == 125
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1


def test_the_document_is_openapi_and_every_answer_may_be_a_problem(served: Served) -> None:
    found = served.done("GET", "openapi.json")
    assert found["openapi"].startswith("3.1")
    for path, methods in found["paths"].items():
        for method, operation in methods.items():
            content = operation["responses"]["default"]["content"]
            assert "application/problem+json" in content, (method, path)
    assert "HTTPValidationError" not in json.dumps(found)
    answer = served.ask("OPTIONS", "sandboxes/x")
    assert (answer.status, answer.headers["allow"]) == (405, "DELETE, GET")
