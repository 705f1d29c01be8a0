"""Alerts reach the user's webhook, signed; nobody waits for them, and no flood of them is sent."""

import base64
import time
from collections.abc import Callable, Iterator

import pytest
from aisbx.violations import alerts as module
from aisbx.violations.alerts import RATE, WAITING, Alerts, key_of

from tests.core.violations.hooks import Hook, hook


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    monkeypatch.setattr(module, "_TRIES", (0.0, 0.0, 0.0))
    with hook() as made:
        yield made


def eventually(holds: Callable[[], bool]) -> bool:
    until = time.monotonic() + 20
    while not holds() and time.monotonic() < until:
        time.sleep(0.01)
    return holds()


def failing(heard: list[tuple[str, str]]) -> Callable[[str, str], None]:
    return lambda name, why: heard.append((name, why))


def test_an_alert_is_signed_by_the_secret_and_sent_again_where_the_server_fails(server: Hook) -> None:
    server.statuses = [503, 429]
    heard: list[tuple[str, str]] = []
    alerts = Alerts(f"{server.url}/a?b=c", b"key\n", failing(heard))
    alerts.send({"id": "v1", "rule": "mount"})
    alerts.flush(20)
    assert [row["rule"] for row in server.rows()] == ["mount"] * 3
    assert all(server.signed_by(b"key", place) for place in range(3))
    assert not server.signed_by(b"another")
    assert {headers["webhook-id"] for headers in server.headers} == {"v1"}
    assert heard == []


def test_what_the_server_does_not_want_is_sent_once_and_a_redirect_is_not_followed(server: Hook) -> None:
    heard: list[tuple[str, str]] = []
    alerts = Alerts(server.url, b"key", failing(heard))
    for number, status in enumerate((403, 307)):
        server.statuses = [status]
        alerts.send({"id": f"v{number}"})
        alerts.flush(20)
    assert len(server.bodies) == 2
    assert heard == [("v0", "the server answered 403"), ("v1", "the server answered 307")]


def test_who_sends_does_not_wait_and_what_is_too_much_is_counted_and_told_with_the_next(server: Hook) -> None:
    server.held.clear()
    alerts = Alerts(server.url, b"key", failing([]))
    began = time.process_time()
    for number in range(10 * WAITING):
        alerts.send({"id": f"v{number}"})
    assert time.process_time() - began < 2
    server.held.set()
    assert eventually(lambda: len(server.bodies) == RATE)
    alerts._tokens = 1.0
    alerts.send({"id": "last"})
    assert eventually(lambda: len(server.bodies) == RATE + 1)
    dropped = server.rows()[-1]["alerts_dropped"]
    assert dropped == 10 * WAITING - RATE


def test_a_server_that_is_not_there_is_said() -> None:
    with hook() as gone:
        url = gone.url
    heard: list[tuple[str, str]] = []
    alerts = Alerts(url, b"key", failing(heard))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_TRIES", (0.0,))
        alerts.send({"id": "v1"})
        alerts.flush(20)
    assert [name for name, _ in heard] == ["v1"]
    assert "refused" in heard[0][1]


def test_a_secret_of_the_specification_is_what_it_stands_for() -> None:
    assert key_of(b"whsec_" + base64.b64encode(b"raw\n") + b"\n") == b"raw\n"
    assert key_of(b"plain\n") == b"plain"
    with pytest.raises(ValueError, match="no base64"):
        key_of(b"whsec_###")
