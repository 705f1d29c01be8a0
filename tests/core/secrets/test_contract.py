"""The built-in stores, and one of somebody else's, keep the contract; a store that breaks it is found out."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from aisbx.errors import ConfigError, SecretError
from aisbx.secrets.environ import EnvironmentSecrets
from aisbx.secrets.files import FileSecrets
from aisbx.testing import SecretsContract, Store
from aisbx.testing.secrets import REQUIREMENTS


class TestEnvironment(SecretsContract):
    ids = ("KIT_ONE", "KIT_TWO")

    @pytest.fixture
    def store(self, monkeypatch: pytest.MonkeyPatch) -> Store:
        def put(name: str, value: bytes) -> None:
            monkeypatch.setenv(name, os.fsdecode(value))

        return Store(make=lambda: EnvironmentSecrets({}), put=put)


def put_file(directory: Path, name: str, value: bytes) -> None:
    directory.mkdir(exist_ok=True, mode=0o700)
    (directory / name).write_bytes(value)
    (directory / name).chmod(0o600)


class TestFile(SecretsContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        directory = tmp_path / "secrets"
        return Store(
            make=lambda: FileSecrets({"config_dir": str(tmp_path)}),
            put=lambda name, value: put_file(directory, name, value),
        )


class Acme:
    """Somebody else's store."""

    def __init__(self, rows: Mapping[str, bytes]) -> None:
        self._rows = rows

    def get(self, ref: str) -> bytes:
        try:
            return self._rows[ref]
        except KeyError:
            raise SecretError(f"Acme has no {ref!r}", hint="ask Acme") from None


class TestAcme(SecretsContract):
    @pytest.fixture
    def store(self) -> Store:
        rows: dict[str, bytes] = {}
        return Store(make=lambda: Acme(rows), put=rows.__setitem__)


class Talker(Acme):
    def __repr__(self) -> str:
        return f"Talker({self._rows})"


class Guesser(Acme):
    def get(self, ref: str) -> bytes:
        return next((value for name, value in self._rows.items() if name in ref), b"")


@pytest.mark.parametrize(
    ("kind", "test"),
    [
        (Talker, "test_nothing_but_get_has_a_value_in_it"),
        (Guesser, "test_a_name_that_is_not_there_is_an_error_with_a_hint"),
    ],
)
def test_a_store_that_breaks_the_contract_fails_it(
    kind: type[Acme], test: str, capfd: pytest.CaptureFixture[str]
) -> None:
    rows: dict[str, bytes] = {}
    store = Store(make=lambda: kind(rows), put=rows.__setitem__)
    arguments = (store, capfd) if "nothing_but" in test else (store,)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        getattr(TestAcme(), test)(*arguments)


def test_each_requirement_is_proved_by_a_test() -> None:
    docs = [getattr(SecretsContract, name).__doc__ for name in SecretsContract.TESTS]
    proved = {doc.split(".")[0] for doc in docs if doc and doc.startswith("secrets:")}
    assert proved == set(REQUIREMENTS)


def test_a_file_that_others_can_read_and_a_link_are_refused(tmp_path: Path) -> None:
    put_file(tmp_path / "secrets", "open", b"x")
    (tmp_path / "secrets" / "open").chmod(0o644)
    (tmp_path / "secrets" / "link").symlink_to("/etc/passwd")
    (tmp_path / "secrets" / "directory").mkdir()
    os.mkfifo(tmp_path / "secrets" / "pipe", 0o600)
    store = FileSecrets({"config_dir": str(tmp_path)})
    for name, why in (
        ("open", "can be read by others"),
        ("link", "cannot be read"),
        ("directory", "by others"),
        ("pipe", "has no bytes"),
    ):
        with pytest.raises(SecretError, match=why):
            store.get(name)


def test_settings_that_there_are_not_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"secret_settings\.env\.x"):
        EnvironmentSecrets({"x": 1})
    with pytest.raises(ConfigError, match="no such setting"):
        FileSecrets({"config_dir": str(tmp_path), "x": 1})
    with pytest.raises(ConfigError, match="absolute"):
        FileSecrets({"config_dir": str(tmp_path), "directory": "here"})
