"""Vaults that are cheap to open: deriving a key takes a fifth of a second each time, and is tried where it matters."""

from functools import cache
from pathlib import Path

import pytest
from aisbx_vault import kdf
from aisbx_vault.vault import Vault

PASSPHRASE = b"correct horse battery staple"
_derive = kdf.derive


@cache
def _known(parameters: tuple[tuple[str, int | str], ...], given: bytes) -> bytes:
    return _derive(dict(parameters), given)


def passphrase() -> bytes:
    return PASSPHRASE


@pytest.fixture(autouse=True)
def _remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Derive each key once."""

    def derive(parameters: kdf.Parameters, given: bytes) -> bytes:
        return _known(tuple(parameters.items()), given)

    monkeypatch.setattr(kdf, "derive", derive)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of a vault with the secrets `one`, `two` and `three`."""
    vault = Vault(tmp_path_factory.mktemp("made"))
    vault.create(kdf.PBKDF2, passphrase)
    for name in ("one", "two", "three"):
        vault.set(name, f"value of {name}".encode(), passphrase)
    return vault.file.path.read_bytes()


@pytest.fixture
def vault(made: bytes, tmp_path: Path) -> Vault:
    return in_place(tmp_path, made)


def in_place(state: Path, data: bytes) -> Vault:
    """A vault whose file has this content."""
    state.mkdir(mode=0o700, exist_ok=True)
    state.chmod(0o700)
    vault = Vault(state)
    vault.file.path.write_bytes(data)
    vault.file.path.chmod(0o600)
    return vault
