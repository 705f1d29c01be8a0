"""Vaults that are cheap to open: deriving a key takes a fifth of a second each time, and is tried where it matters."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from aisbx_vault import kdf
from aisbx_vault.vault import Vault

PASSPHRASE = b"correct horse battery staple"
_derive = kdf.derive
_known = cache(lambda parameters, passphrase: _derive(dict(parameters), passphrase))


def passphrase() -> bytes:
    return PASSPHRASE


@pytest.fixture(autouse=True)
def _remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Derive each key once."""
    monkeypatch.setattr(kdf, "derive", lambda parameters, given: _known(tuple(parameters.items()), given))


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


Change = Callable[[dict[str, object]], None]
