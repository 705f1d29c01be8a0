"""What a vault keeps, and what it says of a file that is not as it was written."""

import json
import os
from base64 import b64decode, b64encode
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from aisbx.errors import ConfigError, SecretError, UsageError
from aisbx.types import Binding
from aisbx_vault import kdf, keyring
from aisbx_vault.document import Box, Document, canonical, encode, parse
from aisbx_vault.passphrase import Passphrase, from_file
from aisbx_vault.sealed import Keys, fresh_key
from aisbx_vault.vault import Vault
from cryptography.exceptions import InvalidTag
from hypothesis import given, settings
from hypothesis import strategies as st

from .conftest import PASSPHRASE, in_place, passphrase

NAMES = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
VALUES = st.binary(min_size=1, max_size=300)


def changed(data: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    """The file after somebody has changed it who knows how check sums are made."""
    table = json.loads(data)
    change(table)
    table.pop("sum", None)
    return (json.dumps({**table, "sum": sha256(canonical(table)).hexdigest()}, indent=1) + "\n").encode()


def flipped(text: str) -> str:
    data = bytearray(b64decode(text))
    data[20] ^= 1
    return b64encode(data).decode()


def swap(table: dict[str, Any]) -> None:
    records = table["records"]
    records["one"], records["two"] = records["two"], records["one"]


def test_values_come_back_and_the_file_is_the_users_alone_and_shows_none(vault: Vault) -> None:
    assert vault.get("one", passphrase) == b"value of one"
    assert sorted(vault.records()) == ["one", "three", "two"]
    found = os.stat(vault.file.path)
    assert found.st_mode & 0o777 == 0o600
    assert b"value of" not in vault.file.path.read_bytes()


def test_each_value_has_a_version_and_a_nonce_of_its_own(vault: Vault) -> None:
    before = vault.records()["one"]
    assert vault.set("one", b"value of one", passphrase) == 2
    after = vault.records()["one"]
    assert (after.version, after.box.nonce != before.box.nonce, after.box.data != before.box.data) == (2, True, True)
    vault.remove("one", passphrase)
    with pytest.raises(SecretError, match="no secret 'one'"):
        vault.get("one", passphrase)


SPOILED: list[tuple[Callable[[bytes], bytes], str]] = [
    (lambda data: data[:-30], "is cut off after"),
    (lambda data: data[: len(data) // 2], "is cut off after"),
    (lambda _: b"", "is cut off after 0 bytes"),
    (lambda data: data.replace(b'"created": 1', b'"created": 2', 1), "check sum does not match"),
    (lambda data: data.replace(b'"one"', b'"0ne"', 1), "check sum does not match"),
    (lambda data: changed(data, lambda table: table.update(version=2, more=1)), r"newer aisbx-vault \(format 2\)"),
    (lambda data: changed(data, lambda table: table.update(format="else")), "is not a vault"),
    (lambda _: b"[]\n", "is not a vault"),
    (lambda data: changed(data, swap), "in the place of the secret 'one' is the record of 'two'"),
    (
        lambda data: changed(data, lambda t: t["records"]["two"].update(box=flipped(t["records"]["two"]["box"]))),
        "the record of the secret 'two' was changed",
    ),
    (
        lambda data: changed(data, lambda t: t["records"]["two"].update(version=7)),
        "the record of the secret 'two' was changed",
    ),
    (
        lambda data: changed(
            data, lambda t: t["records"]["two"].update(binding={"hosts": ["a"], "methods": [], "paths": []})
        ),
        "the record of the secret 'two' was changed",
    ),
    (lambda data: changed(data, lambda t: t["records"].pop("three")), "taken out, or an older one put back"),
    (lambda data: changed(data, lambda t: t.update(key=flipped(t["key"]))), "the passphrase is wrong"),
    (lambda data: changed(data, lambda t: t["kdf"].update(iterations=1000)), "iterations is not from 600000"),
    (lambda data: changed(data, lambda t: t["kdf"].update(iterations=10**9)), "iterations is not from"),
    (lambda data: changed(data, lambda t: t["kdf"].update(name="none")), "is not one of"),
    (
        lambda data: changed(
            data,
            lambda t: t.update(
                kdf={
                    "name": "argon2id",
                    "memory_kib": 1 << 30,
                    "iterations": 3,
                    "lanes": 4,
                    "salt": t["kdf"]["salt"],
                }
            ),
        ),
        "memory_kib is not from",
    ),
]


@pytest.mark.parametrize(("spoil", "why"), SPOILED)
def test_what_was_done_to_a_file_is_told_apart_in_one_line_and_nothing_is_lost(
    made: bytes, tmp_path: Path, spoil: Callable[[bytes], bytes], why: str
) -> None:
    spoiled = spoil(made)
    vault = in_place(tmp_path, spoiled)
    with pytest.raises(SecretError, match=why) as caught:
        vault.get("two", passphrase)
    assert "\n" not in caught.value.message
    assert caught.value.hint
    for change in (
        lambda: vault.set("two", b"x", passphrase),
        lambda: vault.remove("two", passphrase),
        lambda: vault.rotate_data_key(passphrase),
        lambda: vault.rotate_passphrase(kdf.PBKDF2, passphrase, passphrase),
    ):
        with pytest.raises(SecretError):
            change()
    assert vault.file.path.read_bytes() == spoiled


def test_an_older_record_put_back_is_found(vault: Vault) -> None:
    old = json.loads(vault.file.path.read_bytes())["records"]["one"]
    vault.set("one", b"a newer value", passphrase)
    data = changed(vault.file.path.read_bytes(), lambda table: table["records"].update(one=old))
    vault.file.path.write_bytes(data)
    with pytest.raises(SecretError, match="an older one put back"):
        vault.get("one", passphrase)


def test_a_wrong_passphrase_is_said_to_be_wrong(vault: Vault) -> None:
    with pytest.raises(SecretError, match="the passphrase is wrong"):
        vault.get("one", lambda: b"another passphrase")


def test_a_file_that_others_can_read_is_refused(vault: Vault) -> None:
    vault.file.path.chmod(0o640)
    with pytest.raises(SecretError, match=r"open to others \(mode 40\)"):
        vault.records()


def test_rotations_keep_every_secret_and_end_what_was_before(vault: Vault) -> None:
    vault.set("one", b"bound", passphrase, Binding(("api.example:443",), ("GET",), ("/v1/",)))
    before = parse(vault.file.path.read_bytes(), "")
    opened = vault.open(passphrase)
    vault.rotate_data_key(passphrase)
    after = vault.open(passphrase)
    assert after.keys.data_key != opened.keys.data_key
    for name, record in after.document.records.items():
        with pytest.raises(InvalidTag):
            opened.keys.open(name, record)
        assert (record.version, record.binding) == (before.records[name].version, before.records[name].binding)
    vault.rotate_passphrase(kdf.ARGON2ID, passphrase, lambda: b"another passphrase")
    with pytest.raises(SecretError, match="the passphrase is wrong"):
        vault.get("one", passphrase)
    values = {name: vault.get(name, lambda: b"another passphrase") for name in ("one", "two", "three")}
    assert values == {"one": b"bound", "two": b"value of two", "three": b"value of three"}
    assert vault.method() == kdf.ARGON2ID


def test_a_second_vault_and_a_short_passphrase_are_refused(vault: Vault, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is a vault already"):
        vault.create(kdf.PBKDF2, passphrase)
    with pytest.raises(UsageError, match="at least 8 bytes"):
        Vault(tmp_path / "other").create(kdf.PBKDF2, lambda: b"short")
    assert not (tmp_path / "other" / "vault.json").exists()


class Library:
    """Stands for the library `keyring`."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, user: str) -> str | None:
        return self.rows.get((service, user))

    def set_password(self, service: str, user: str, password: str) -> None:
        self.rows[service, user] = password

    def delete_password(self, service: str, user: str) -> None:
        del self.rows[service, user]


def test_the_systems_keyring_opens_a_vault_without_a_passphrase(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = Library()
    monkeypatch.setattr(keyring, "_library", lambda: library)

    def derive(parameters: kdf.Parameters, _: bytes) -> bytes:
        return keyring.read(str(parameters["entry"]))

    monkeypatch.setattr(kdf, "derive", derive)

    def nobody() -> bytes:
        raise AssertionError

    vault = Vault(tmp_path)
    vault.create(kdf.KEYRING, nobody)
    vault.set("one", b"kept", nobody)
    first = dict(library.rows)
    vault.rotate_passphrase(kdf.KEYRING, nobody, nobody)
    assert vault.get("one", nobody) == b"kept"
    assert len(library.rows) == 1
    assert library.rows != first
    library.rows.clear()
    with pytest.raises(SecretError, match="has no key"):
        vault.get("one", nobody)


def test_without_the_library_the_keyring_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: str) -> object:
        raise ModuleNotFoundError

    monkeypatch.setattr(keyring, "import_module", missing)
    with pytest.raises(SecretError) as caught:
        keyring.read("00")
    assert caught.value.hint == "pip install 'aisbx-vault[keyring]'"


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(NAMES, VALUES, max_size=5))
def test_any_names_and_values_come_back_from_a_written_file(rows: dict[str, bytes]) -> None:
    keys = Keys(fresh_key())
    records = {name: keys.close(name, 1, 0, None, value) for name, value in rows.items()}
    parameters = kdf.fresh(kdf.PBKDF2)
    document = keys.sealed(Document(parameters, Box(bytes(12), bytes(48)), records))
    found = parse(encode(document), "vault")
    keys.verify(found, "vault")
    assert {name: keys.open(name, record) for name, record in found.records.items()} == rows


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_bit_of_a_file_can_be_flipped_unnoticed(made: bytes, data: st.DataObject) -> None:
    """Not even one in what is not encrypted, and never by an error that is none of ours."""
    place = data.draw(st.integers(0, len(made) - 1))
    spoiled = bytearray(made)
    spoiled[place] ^= 1 << data.draw(st.integers(0, 7))
    if json_of(bytes(spoiled)) == json_of(made):  # blanks between the parts
        return
    with pytest.raises(SecretError):
        parse(bytes(spoiled), "vault")


def json_of(data: bytes) -> object:
    try:
        return json.loads(data)
    except ValueError:
        return None


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"passphrase": "x"}, "no such setting"),
        ({"passphrase_file": "here"}, "not an absolute path"),
        ({"passphrase_fd": "1"}, "not a descriptor from 3 on"),
        ({"passphrase_fd": 3, "passphrase_file": "/x"}, "stands beside passphrase_file"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, object], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        Passphrase(settings)


def test_a_passphrase_comes_from_a_private_file_or_a_descriptor_that_is_closed_then(tmp_path: Path) -> None:
    file = tmp_path / "passphrase"
    file.write_bytes(PASSPHRASE + b"\n")
    file.chmod(0o644)
    with pytest.raises(SecretError, match="open to others"):
        from_file(str(file))
    file.chmod(0o600)
    assert from_file(str(file)) == PASSPHRASE
    descriptor = os.open(file, os.O_RDONLY)
    ask = Passphrase({"passphrase_fd": str(descriptor)})
    assert ask() == ask() == PASSPHRASE
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
    file.write_bytes(b"two\nlines\n")
    with pytest.raises(SecretError, match="has no passphrase"):
        from_file(str(file))
