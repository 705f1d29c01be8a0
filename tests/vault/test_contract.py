"""The vault keeps the contract of secret stores."""

from pathlib import Path

import pytest
from aisbx.plugins import Plugins
from aisbx.testing import SecretsContract, Store
from aisbx_vault.vault import Vault

from .conftest import PASSPHRASE, passphrase


class TestVault(SecretsContract):
    @pytest.fixture
    def store(self, vault: Vault, tmp_path: Path) -> Store:
        file = tmp_path / "passphrase"
        file.write_bytes(PASSPHRASE + b"\n")
        file.chmod(0o600)
        settings = {"state_dir": str(vault.file.path.parent), "passphrase_file": str(file)}

        def put(name: str, value: bytes) -> None:
            vault.set(name, value, passphrase)

        return Store(make=lambda: Plugins().get("secrets", "vault", settings), put=put)
