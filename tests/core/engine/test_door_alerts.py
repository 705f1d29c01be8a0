"""What the door of a host refuses reaches the user's webhook as what a sandbox is refused does: signed, bounded."""

import time
from collections.abc import Callable, Iterator

import pytest
from aisbx.engine import Engine, alerting
from aisbx.engine.door import Door
from aisbx.errors import AdmissionError, AisbxError, AuthError, ConfigError, PolicyError
from aisbx.types import Principal
from aisbx.violations import alerts
from aisbx.violations.read import Wanted, violations

from tests.core.violations.hooks import Hook, hook
from tests.core.world import World

SECRET = b"what-signs-alerts"
WHO = Principal("key:a", frozenset({"run"}))
Opening = Callable[..., Door]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    monkeypatch.setattr(alerts, "_TRIES", (0.0, 0.0))
    monkeypatch.setattr(alerting, "_LAST", 20.0)
    with hook() as made:
        yield made


@pytest.fixture
def opening(world: World) -> Opening:
    """Give what opens a door that alerts to a place, of what is as grave as `least`."""

    def opened(url: str, least: str = "", secret: str = "file:hook") -> Door:
        place = world.write(world.home / ".config/aisbx/secrets/hook", SECRET, 0o600)
        place.parent.chmod(0o700)
        said = f'server = "{least}"\n' if least else ""
        world.config(f'[alerts]\nurl = "{url}"\nsecret = "{secret}"\n{said}')
        return Door(Engine(world.environ, str(world.project)), "test", "api-key", shared=True)

    return opened


def told(world: World, least: str) -> list[tuple[str, str]]:
    """Give id and rule of what the audit log says of violations as grave as that."""
    path = str(world.home / ".local/state/aisbx/audit.jsonl")
    return [(row.text("id"), row.text("rule")) for row in violations(path, Wanted(severity=least))[0]]


def knock(door: Door, times: int, address: str = "192.0.2.1") -> None:
    for _ in range(times):
        with pytest.raises(AuthError):
            door.authenticate({"key": "wrong"}, address)


def test_who_guesses_keys_lacks_a_scope_or_scans_is_told_signed_and_by_the_ids_of_the_log(
    world: World, opening: Opening, server: Hook
) -> None:
    door = opening(server.url)
    knock(door, 12)
    knock(door, 12, "192.0.2.2")
    assert told(world, "medium") == []
    knock(door, 8)
    with pytest.raises(PolicyError), door.enter(WHO, "files", "read_file"):
        pass
    for number in range(19):
        door.missed(WHO, "/same")
        door.missed(WHO, f"/{number}")
    with pytest.raises(AdmissionError, match="held back"):
        door.take(WHO, "run")
    door.close()
    rows = server.rows()
    assert [(row["id"], row["rule"]) for row in rows] == told(world, "medium")
    assert [row["rule"] for row in rows] == ["key-guessing", "scope", "name-scan"]
    assert rows[0]["arguments"] == {"client": "192.0.2.1"}
    assert {(row["host"], row["sandbox"], row["kind"]) for row in rows} == {("test", "", "violation")}
    assert all(server.signed_by(SECRET, place) for place in range(3))


def test_the_settings_say_from_which_severity_on(world: World, opening: Opening, server: Hook) -> None:
    for least, rules in (("none", []), ("high", []), ("low", ["unauthenticated"])):
        door = opening(server.url, least)
        knock(door, 1)
        door.close()
        assert [row["rule"] for row in server.rows()] == rules
    assert len(told(world, "low")) == 3


def test_what_is_not_taken_is_recorded_and_an_end_waits_for_nobody(
    world: World, opening: Opening, server: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.statuses = [503, 503]
    door = opening(server.url, "low")
    knock(door, 1)
    door.close()
    server.held.clear()
    monkeypatch.setattr(alerting, "_LAST", 0.1)
    door = opening(server.url, "low")
    knock(door, 3)
    began = time.monotonic()
    door.close()
    assert time.monotonic() - began < 2
    knock(door, 1)  # by a request that was on its way
    lines = (world.home / ".local/state/aisbx/audit.jsonl").read_text().splitlines()
    errors = [line.partition('"error":"')[2].partition('"')[0] for line in lines if "violation.reaction" in line]
    assert errors == ["the server answered 503", *["its process ended before"] * 4]


def test_a_host_that_could_not_sign_does_not_begin(opening: Opening, server: Hook) -> None:
    with pytest.raises(AisbxError, match="cannot be read"):
        opening(server.url, secret="file:none")
    with pytest.raises(ConfigError, match="alerts"):
        opening(server.url, "grave")
    opening(server.url, "none", secret="file:none").close()
