"""What is encrypted, by what key, and with what it is authenticated.

A wrapping key closes the data key. Of the data key come, by HKDF-SHA-256, the key of the records (AES-256-GCM, a random
nonce for each) and that of the seal (HMAC-SHA-256) over the whole document: without the seal, a record could be taken
out, or an older value of it put back.
"""

import hmac
import os
from dataclasses import replace

from aisbx.errors import SecretError
from aisbx.types import Binding
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from aisbx_vault import kdf
from aisbx_vault.document import MAGIC, NONCE_BYTES, VERSION, Box, Document, Record, bound, canonical, unsealed


class Keys:
    """An opened data key."""

    def __init__(self, data_key: bytes) -> None:
        """Derive what is used of it."""
        self.data_key = data_key
        self._records = _derived(data_key, b"records")
        self._seal = _derived(data_key, b"seal")

    def close(self, name: str, version: int, created: int, binding: Binding | None, value: bytes) -> Record:
        """Give a record with this value."""
        return Record(version, created, _close(self._records, value, _record_data(name, version, binding)), binding)

    def open(self, name: str, record: Record) -> bytes:
        """Give a record's value; InvalidTag where it is not what was closed under this name and version."""
        return _open(self._records, record.box, _record_data(name, record.version, record.binding))

    def sealed(self, document: Document) -> Document:
        """Give a document with the seal that it has to have."""
        return replace(document, seal=hmac.digest(self._seal, canonical(unsealed(document)), "sha256"))

    def verify(self, document: Document, file: str) -> None:
        """SecretError where a document is not as it was sealed; says which record is another's, or changed."""
        if hmac.compare_digest(self.sealed(document).seal, document.seal):
            return
        hint = "somebody changed the file: put a copy back, and see who can write it"
        for name, record in document.records.items():
            try:
                self.open(name, record)
            except InvalidTag:
                raise SecretError(f"{file}: {self._whose(name, record, document)}", hint=hint) from None
        raise SecretError(f"{file}: a record was taken out, or an older one put back", hint=hint)

    def _whose(self, name: str, record: Record, document: Document) -> str:
        for other, theirs in document.records.items():
            for version in {record.version, theirs.version}:
                try:
                    self.open(other, replace(record, version=version, binding=theirs.binding))
                except InvalidTag:
                    continue
                return f"in the place of the secret {name!r} is the record of {other!r}"
        return f"the record of the secret {name!r} was changed"


def fresh_key() -> bytes:
    """Give a new data key."""
    return os.urandom(kdf.KEY_BYTES)


def wrap(wrapping_key: bytes, parameters: kdf.Parameters, data_key: bytes) -> Box:
    """Close a data key; the parameters that its wrapping key came by are authenticated with it."""
    return _close(wrapping_key, data_key, _key_data(parameters))


def unwrap(wrapping_key: bytes, document: Document, file: str) -> Keys:
    """Open the data key and see that the document is as it was sealed; SecretError else."""
    try:
        keys = Keys(_open(wrapping_key, document.key, _key_data(document.kdf)))
    except InvalidTag:
        what = "the passphrase is wrong" if kdf.needs_passphrase(document.kdf) else "the keyring's key is another's"
        raise SecretError(f"{file}: {what}", hint="nothing was changed; try again") from None
    keys.verify(document, file)
    return keys


def _key_data(parameters: kdf.Parameters) -> bytes:
    return canonical([MAGIC, VERSION, "key", parameters])


def _record_data(name: str, version: int, binding: Binding | None) -> bytes:
    return canonical([MAGIC, VERSION, "record", name, version, bound(binding)])


def _derived(data_key: bytes, purpose: bytes) -> bytes:
    info = MAGIC.encode() + b" %d " % VERSION + purpose
    return HKDF(SHA256(), kdf.KEY_BYTES, salt=None, info=info).derive(data_key)


def _close(key: bytes, data: bytes, authenticated: bytes) -> Box:
    nonce = os.urandom(NONCE_BYTES)
    return Box(nonce, AESGCM(key).encrypt(nonce, data, authenticated))


def _open(key: bytes, box: Box, authenticated: bytes) -> bytes:
    return AESGCM(key).decrypt(box.nonce, box.data, authenticated)
