"""Keys: shown once, kept as hashes, ended for good, and never lost or believed half."""

import hmac
import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from aisbx.errors import AuthError, ConfigError, StateError, UsageError
from aisbx.keys import Keyring
from aisbx.keys.plugin import aisbx_auth
from aisbx.types import Auth, RevocableAuth, WorkspaceMode


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def keyring(state: Path) -> Keyring:
    return Keyring(state)


@pytest.fixture
def auth(state: Path) -> Auth:
    found = aisbx_auth("api-key", {"state_dir": str(state)})
    assert found is not None
    return found


def test_a_key_says_who_has_it_and_what_for(keyring: Keyring, auth: Auth) -> None:
    key, written = keyring.create("ci", ["files", "run"], workspace="/srv/x", mode="ro", profile="python-dev")
    who = auth.authenticate({"key": written})
    assert (who.id, who.scopes, who.profile) == (f"key:{key.id}", {"run", "files"}, "python-dev")
    assert who.workspace is not None
    assert (who.workspace.path, who.workspace.mode) == ("/srv/x", WorkspaceMode.RO)


def test_only_its_hash_is_kept_and_only_for_the_owner(keyring: Keyring) -> None:
    _, written = keyring.create("ci", ["run"])
    _, other = keyring.create("ci2", ["run"])
    secret = written.split("_", 2)[2]
    assert len(secret) == 43  # 256 bits
    assert secret not in other
    for file in keyring.file.parent.iterdir():
        assert secret not in file.read_text()
        assert file.stat().st_mode & 0o777 == 0o600
    assert keyring.file.parent.stat().st_mode & 0o777 == 0o700


def _other_secret(written: str) -> str:
    return written[:-1] + ("A" if written[-1] != "A" else "B")


NO_KEYS: list[tuple[Callable[[str], str], str]] = [
    (lambda _: "", "no key"),
    (_other_secret, "no key of this host"),
    (lambda written: written + "A", "no key of this host"),
    (lambda written: written[:-1], "no key of this host"),
    (lambda written: written + "\n", "no key of this host"),
    (lambda written: "aisbx_" + "0" * 12 + written[18:], "no key of this host"),
    (lambda _: "\udc80\0" * 1000, "no key of this host"),
]


@pytest.mark.parametrize(("change", "said"), NO_KEYS)
def test_what_is_no_key_is_nobodys(change: Callable[[str], str], said: str, keyring: Keyring, auth: Auth) -> None:
    _, written = keyring.create("ci", ["run"])
    with pytest.raises(AuthError, match=said) as refused:
        auth.authenticate({"key": change(written)})
    assert written not in str(refused.value)
    auth.authenticate({"key": written})


def test_hashes_are_compared_in_constant_time_also_where_there_is_no_such_key(
    keyring: Keyring, auth: Auth, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, written = keyring.create("ci", ["run"])
    compared: list[tuple[str, str]] = []
    original = hmac.compare_digest

    def compare(one: str, other: str) -> bool:
        compared.append((one, other))
        return original(one, other)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    for shown in (_other_secret(written), "aisbx_" + "0" * 12 + written[18:], "x"):
        with pytest.raises(AuthError):
            auth.authenticate({"key": shown})
    assert [len(one) + len(other) for one, other in compared] == [128, 128, 128]
    # A stored hash is not itself a key.
    with pytest.raises(AuthError):
        auth.authenticate({"key": compared[0][1]})


def test_a_key_ends_when_it_is_revoked_or_expires(
    keyring: Keyring, auth: Auth, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, first = keyring.create("gone", ["run"])
    short, second = keyring.create("short", ["run"], seconds=60)
    gone_principal, principal = auth.authenticate({"key": first}), auth.authenticate({"key": second})
    assert isinstance(auth, RevocableAuth)
    assert auth.stands(gone_principal)
    Keyring(keyring.file.parent).revoke("gone")  # another process does
    with pytest.raises(AuthError, match="revoked"):
        auth.authenticate({"key": first})
    assert not auth.stands(gone_principal)
    with pytest.raises(StateError, match="there is no key"):
        keyring.revoke(gone.id)
    assert short.expires == short.created + 60
    assert auth.stands(principal)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 61)
    with pytest.raises(AuthError, match="expired"):
        auth.authenticate({"key": second})
    assert not auth.stands(principal)
    keyring.create("short", ["run"])  # the name is free again


def test_what_ended_long_ago_goes_with_the_next_key(keyring: Keyring, monkeypatch: pytest.MonkeyPatch) -> None:
    gone, _ = keyring.create("gone", ["run"])
    kept, _ = keyring.create("kept", ["run"])
    keyring.revoke(gone.id)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 91 * 24 * 3600)
    new, _ = keyring.create("new", ["run"])
    assert set(keyring.all()) == {kept.id, new.id}


@pytest.mark.parametrize(
    ("name", "scopes", "said"),
    [("ci", ["run"], "already"), ("a b", ["run"], "not a name"), ("x", ["root"], "'root'"), ("x", [], "needs a scope")],
)
def test_a_key_that_cannot_be_is_refused(name: str, scopes: list[str], said: str, keyring: Keyring) -> None:
    keyring.create("ci", ["run"])
    with pytest.raises(UsageError, match=said):
        keyring.create(name, scopes)
    assert len(keyring.all()) == 1


def _entry(**changes: object) -> Callable[[str], str]:
    def change(text: str) -> str:
        record = json.loads(text)
        (entry,) = record["keys"].values()
        entry.update(changes)
        return json.dumps(record)

    return change


DAMAGES: list[tuple[Callable[[str], str], str]] = [
    (lambda text: text[:-20], "cannot be used"),
    (lambda text: text.replace('"version": 1', '"version": 2'), "newer aisbx"),
    (lambda _: "[" * 100_000, "cannot be used"),
    (lambda _: "[]", "holds no keys"),
    (_entry(scopes=["root"]), "damaged"),
    (_entry(scopes=[[]]), "damaged"),
    (_entry(sha256="0"), "damaged"),
    (_entry(expires=True), "damaged"),
    (_entry(revoked=-1), "damaged"),
    (_entry(mode="rwx"), "damaged"),
    (_entry(more=1), "damaged"),
]


@pytest.mark.parametrize(("change", "said"), DAMAGES)
def test_a_damaged_or_newer_file_lets_nobody_in_and_is_not_overwritten(
    change: Callable[[str], str], said: str, keyring: Keyring, auth: Auth
) -> None:
    _, written = keyring.create("ci", ["run"])
    damaged = change(keyring.file.read_text())
    keyring.file.write_text(damaged)
    attempts: list[Callable[[], object]] = [
        lambda: auth.authenticate({"key": written}),
        lambda: keyring.create("other", ["run"]),
        lambda: keyring.revoke("ci"),
    ]
    for attempt in attempts:
        with pytest.raises(StateError, match=said) as refused:
            attempt()
        assert refused.value.hint
        assert "\n" not in str(refused.value)
    assert keyring.file.read_text() == damaged


def test_a_file_that_others_could_have_written_lets_nobody_in(keyring: Keyring, auth: Auth) -> None:
    _, written = keyring.create("ci", ["run"])
    keyring.file.chmod(0o606)
    with pytest.raises(StateError, match="written by everybody"):
        auth.authenticate({"key": written})


def test_whoever_is_killed_while_making_one_loses_nothing(keyring: Keyring) -> None:
    _, written = keyring.create("first", ["run"])
    before = keyring.file.read_bytes()
    pid = os.fork()
    if pid == 0:
        Path.replace = lambda *_: os._exit(9)  # type: ignore[assignment,method-assign]
        keyring.create("second", ["run"])
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9
    assert keyring.file.read_bytes() == before
    keyring.create("third", ["run"])
    assert keyring.find(written)
    assert {key.name for key in keyring.all().values()} == {"first", "third"}


def test_of_those_who_make_one_at_once_all_count(state: Path) -> None:
    def make(number: int) -> None:
        Keyring(state).create(f"k{number}", ["run"])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(make, range(12)))
    assert len(Keyring(state).all()) == 12


def test_the_plugin_answers_for_its_own_name_and_says_what_it_lacks() -> None:
    assert aisbx_auth("other", {}) is None
    with pytest.raises(ConfigError, match="state_dir"):
        aisbx_auth("api-key", {})


def test_a_name_ends_the_key_that_is_active_and_an_id_the_one_that_has_it(keyring: Keyring) -> None:
    old, _ = keyring.create("ci", ["run"], seconds=1)
    rows = json.loads(keyring.file.read_text())
    rows["keys"][old.id]["expires"] = int(time.time()) - 5
    keyring.file.write_text(json.dumps(rows))
    other, _ = keyring.create(old.id, ["run"])  # a name that is another's id
    with pytest.raises(StateError, match="no key"):
        keyring.revoke("ci")
    new, _ = keyring.create("ci", ["run"])
    assert keyring.revoke("ci").id == new.id
    assert keyring.revoke(old.id).id == old.id
    assert keyring.revoke(old.id).id == other.id
    twins = [keyring.create(name, ["run"])[0] for name in ("a", "b")]
    keyring.file.write_text(keyring.file.read_text().replace('"name": "b"', '"name": "a"'))
    with pytest.raises(StateError, match="2 active keys") as refused:
        keyring.revoke("a")
    assert all(twin.id in refused.value.hint for twin in twins)
