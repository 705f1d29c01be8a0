"""The file is what docs/secrets.md says: it is opened here without a line of aisbx, and by openssl."""

import hashlib
import hmac
import json
import subprocess
from base64 import b64decode
from pathlib import Path
from typing import Any

from aisbx_vault import kdf
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .conftest import PASSPHRASE


def text(data: object) -> bytes:
    return json.dumps(data, sort_keys=True, separators=(",", ":")).encode()


def hkdf(key: bytes, info: bytes) -> bytes:
    """RFC 5869, for 32 bytes and no salt."""
    extracted = hmac.digest(bytes(32), key, "sha256")
    return hmac.digest(extracted, info + b"\x01", "sha256")


def opened(key: bytes, box: str, data: bytes) -> bytes:
    raw = b64decode(box)
    return AESGCM(key).decrypt(raw[:12], raw[12:], data)


def test_a_file_is_opened_by_the_primitives_alone(made: bytes) -> None:
    table: dict[str, Any] = json.loads(made)
    parameters = table["kdf"]
    assert parameters["name"] == "pbkdf2-hmac-sha256"
    assert parameters["iterations"] >= 600_000
    salt = bytes.fromhex(parameters["salt"])
    wrapping = hashlib.pbkdf2_hmac("sha256", PASSPHRASE, salt, parameters["iterations"])
    data_key = opened(wrapping, table["key"], text(["aisbx-vault", 1, "key", parameters]))
    records_key = hkdf(data_key, b"aisbx-vault 1 records")
    for name, row in table["records"].items():
        authenticated = text(["aisbx-vault", 1, "record", name, row["version"], row["binding"]])
        assert opened(records_key, row["box"], authenticated) == f"value of {name}".encode()
    rest = {key: value for key, value in table.items() if key not in {"seal", "sum"}}
    assert table["seal"] == hmac.digest(hkdf(data_key, b"aisbx-vault 1 seal"), text(rest), "sha256").hex()
    assert table["sum"] == hashlib.sha256(text({**rest, "seal": table["seal"]})).hexdigest()


def test_openssl_derives_the_same_key() -> None:
    parameters = kdf.fresh(kdf.PBKDF2)
    words = ["-kdfopt", "digest:SHA256", "-kdfopt", f"pass:{PASSPHRASE.decode()}"]
    words += ["-kdfopt", f"hexsalt:{parameters['salt']}", "-kdfopt", f"iter:{parameters['iterations']}"]
    done = subprocess.run(
        ["openssl", "kdf", "-keylen", "32", "-binary", *words, "PBKDF2"], capture_output=True, check=True
    )
    assert done.stdout == kdf.derive(parameters, PASSPHRASE)


def test_argon2id_depends_on_each_of_its_parameters() -> None:
    usual = {"name": kdf.ARGON2ID, "memory_kib": 19_456, "iterations": 2, "lanes": 1, "salt": "00" * 16}
    made = {
        kdf.derive(kdf.check({**usual, **other}), PASSPHRASE)
        for other in ({}, {"memory_kib": 19_464}, {"iterations": 3}, {"lanes": 2}, {"salt": "01" * 16})
    }
    assert len(made) == 5


def test_files_are_where_the_documentation_says() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "secrets.md").read_text()
    for word in ("vault.json", "aisbx-vault 1 records", "aisbx-vault 1 seal"):
        assert word in guide
