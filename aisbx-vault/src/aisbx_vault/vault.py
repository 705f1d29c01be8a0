"""A vault: its secrets by name, and what changes it. Each change is one replacement of the file."""

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from aisbx.errors import SecretError, UsageError
from aisbx.types import Binding

from aisbx_vault import kdf, keyring, sealed
from aisbx_vault.document import LARGEST_VALUE, NAME, Box, Document, Record, encode, parse
from aisbx_vault.file import VaultFile

Ask = Callable[[], bytes]
"""Gives a passphrase; is called only where one is needed."""
SHORTEST = 8
"""Bytes of a passphrase."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A vault as it is now, with the keys to it; good until it changes."""

    document: Document
    wrapping_key: bytes
    keys: sealed.Keys


class Vault:
    """One user's vault."""

    def __init__(self, state: Path) -> None:
        """`state` is `$XDG_STATE_HOME/aisbx`; nothing is read yet."""
        self.file = VaultFile(state)

    def create(self, method: str, ask: Ask) -> None:
        """Make an empty one; UsageError where there is one already."""
        with self.file.held():
            if self.file.read() is not None:
                raise UsageError(
                    f"there is a vault already: {self.file.path}", hint="aisbx secret rotate changes its keys"
                )
            data_key = sealed.fresh_key()
            document, _ = _wrapped(Document(kdf.fresh(method), Box(b"", b"")), data_key, ask)
            self._replace(document, sealed.Keys(data_key))

    def records(self) -> Mapping[str, Record]:
        """Give what there is, without a value; that needs no passphrase."""
        return self._read().records

    def method(self) -> str:
        """Say how it is opened: one of `kdf.METHODS`."""
        return str(self._read().kdf["name"])

    def open(self, ask: Ask) -> Opened:
        """Open it; SecretError says what is wrong."""
        document = self._read()
        wrapping_key = kdf.derive(document.kdf, ask() if kdf.needs_passphrase(document.kdf) else b"")
        return Opened(document, wrapping_key, sealed.unwrap(wrapping_key, document, str(self.file.path)))

    def get(self, name: str, ask: Ask) -> bytes:
        """Give a secret's value; SecretError where there is none."""
        record = self._found(self._read(), name)  # before anybody is asked for a passphrase
        del record
        opened = self.open(ask)
        return opened.keys.open(name, self._found(opened.document, name))

    def set(self, name: str, value: bytes, ask: Ask, binding: Binding | None = None) -> int:
        """Keep a value, a new one or in place of another; gives its version.

        A binding stays until another is given: what is bound does not lose that by the way.
        """
        if not NAME.fullmatch(name):
            raise UsageError(f"{name!r} is not a name for a secret", hint="use letters, digits, '.', '_' and '-'")
        if not 0 < len(value) <= LARGEST_VALUE:
            raise UsageError(
                f"a secret has from 1 to {LARGEST_VALUE} bytes, not {len(value)}", hint="keep it elsewhere"
            )
        with self._changing(ask) as opened:
            before = opened.document.records.get(name)
            version = before.version + 1 if before else 1
            binding = binding or (before.binding if before else None)
            record = opened.keys.close(name, version, int(time.time()), binding, value)
            document = replace(opened.document, records={**opened.document.records, name: record})
            self._replace(document, opened.keys)
        return version

    def remove(self, name: str, ask: Ask) -> None:
        """Drop a secret; SecretError where there is none."""
        self._found(self._read(), name)
        with self._changing(ask) as opened:
            self._found(opened.document, name)
            records = {each: record for each, record in opened.document.records.items() if each != name}
            self._replace(replace(opened.document, records=records), opened.keys)

    def rotate_passphrase(self, method: str, ask: Ask, ask_new: Ask) -> None:
        """Wrap the data key anew, by another passphrase or method; all secrets stay as they are."""
        with self._changing(ask) as opened:
            fresh = replace(opened.document, kdf=kdf.fresh(method))
            document, _ = _wrapped(fresh, opened.keys.data_key, ask_new)
            self._replace(document, opened.keys)
            if not kdf.needs_passphrase(opened.document.kdf):
                keyring.forget(str(opened.document.kdf["entry"]))  # last: until now the old file needed it

    def rotate_data_key(self, ask: Ask) -> None:
        """Encrypt everything anew under a new data key; the passphrase stays."""
        with self._changing(ask) as opened:
            data_key = sealed.fresh_key()
            keys, old = sealed.Keys(data_key), opened.document
            records = {
                name: keys.close(name, record.version, record.created, record.binding, opened.keys.open(name, record))
                for name, record in old.records.items()
            }
            key = sealed.wrap(opened.wrapping_key, old.kdf, data_key)
            self._replace(replace(old, key=key, records=records), keys)

    @contextmanager
    def _changing(self, ask: Ask) -> Generator[Opened]:
        if kdf.needs_passphrase(self._read().kdf):  # a missing or damaged file is told before anybody is asked
            passphrase = ask()  # nobody waits for who thinks of a passphrase
            ask = lambda: passphrase  # noqa: E731
        with self.file.held():
            yield self.open(ask)

    def _read(self) -> Document:
        data = self.file.read()
        if data is None:
            raise SecretError(f"there is no vault yet ({self.file.path})", hint="aisbx secret init")
        return parse(data, str(self.file.path))

    def _found(self, document: Document, name: str) -> Record:
        if name not in document.records:
            raise SecretError(f"the vault has no secret {name!r}", hint="see: aisbx secret list")
        return document.records[name]

    def _replace(self, document: Document, keys: sealed.Keys) -> None:
        self.file.replace(encode(keys.sealed(document)))


def _wrapped(document: Document, data_key: bytes, ask: Ask) -> tuple[Document, bytes]:
    """Give a document with the data key wrapped by its parameters, and the wrapping key."""
    passphrase = b""
    if kdf.needs_passphrase(document.kdf):
        passphrase = ask()
        if len(passphrase) < SHORTEST:
            raise UsageError(f"a passphrase has at least {SHORTEST} bytes", hint="take several words")
    else:
        keyring.make(str(document.kdf["entry"]))
    wrapping_key = kdf.derive(document.kdf, passphrase)
    return replace(document, key=sealed.wrap(wrapping_key, document.kdf, data_key)), wrapping_key
