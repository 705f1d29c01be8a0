"""The vault's file as data: what may stand in it, and what is told of one that is damaged.

A JSON object. Everything but the values and keys is readable without a passphrase, and all of it is authenticated: each
record with its name, version and binding, and the whole by `seal`. `sum` is a plain SHA-256 over the rest: it tells a
damaged file from a wrong passphrase, and protects against nobody.
"""

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import cast

from aisbx.errors import SecretError
from aisbx.types import Binding

from aisbx_vault import kdf

MAGIC = "aisbx-vault"
VERSION = 1
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
NONCE_BYTES = 12
"""Of AES-GCM (NIST SP 800-38D, section 8.2)."""
LARGEST_VALUE = 1 << 16
"""Bytes of one secret: keys and certificates, no archives."""
_SEAL_BYTES = 32
_TAG_BYTES = 16
_COPY = "put a copy of it back"


@dataclass(frozen=True, slots=True)
class Box:
    """What AES-256-GCM gave: the nonce, and the ciphertext with its tag."""

    nonce: bytes
    data: bytes


@dataclass(frozen=True, slots=True)
class Record:
    """One secret: `version` counts its values from 1, `created` is in seconds since 1970 (UTC)."""

    version: int
    created: int
    box: Box
    binding: Binding | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """All of a file; `key` is the data key as the wrapping key closed it."""

    kdf: kdf.Parameters
    key: Box
    records: Mapping[str, Record] = field(default_factory=dict[str, Record])
    seal: bytes = b""


def encode(document: Document) -> bytes:
    """Give the file's content."""
    table = {**unsealed(document), "seal": document.seal.hex()}
    return (json.dumps({**table, "sum": _sum(table)}, indent=1) + "\n").encode("ascii")


def unsealed(document: Document) -> dict[str, object]:
    """Give what `seal` is made over, as plain data."""
    records = {name: _row(record) for name, record in sorted(document.records.items())}
    return {"format": MAGIC, "version": VERSION, "kdf": document.kdf, "key": _text(document.key), "records": records}


def canonical(data: object) -> bytes:
    """Give the one text of plain data."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")


def parse(data: bytes, file: str) -> Document:
    """Read a file; SecretError says whether it is cut off, damaged, newer, or no vault at all."""
    table = _table(data, file)
    version = table.get("version")
    if table.get("format") != MAGIC:
        raise SecretError(f"{file} is not a vault of aisbx", hint="move it away, or correct the setting")
    if type(version) is int and version > VERSION:
        raise SecretError(f"{file} is of a newer aisbx-vault (format {version})", hint="update aisbx-vault")
    total = table.pop("sum", None)
    if version != VERSION or total != _sum(table):
        raise SecretError(f"{file} is damaged: its check sum does not match", hint=_COPY)
    try:
        return _document(table)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SecretError(f"{file} is not as aisbx-vault writes it: {error}", hint=_COPY) from None


def _table(data: bytes, file: str) -> dict[str, object]:
    try:
        table: object = json.loads(data)
    except (ValueError, RecursionError) as error:
        cut = not data.rstrip(b"\n").endswith(b"\n}")  # how every file of ours ends
        what = f"is cut off after {len(data)} bytes" if cut else f"is damaged: {error}"
        raise SecretError(f"{file} {what}", hint=_COPY) from None
    if not isinstance(table, dict):
        raise SecretError(f"{file} is not a vault of aisbx", hint="move it away, or correct the setting")
    return cast("dict[str, object]", table)


def _document(table: dict[str, object]) -> Document:
    if set(table) != {"format", "version", "kdf", "key", "records", "seal"}:
        raise ValueError("it has other parts")
    rows = cast("dict[str, dict[str, object]]", table["records"])
    return Document(
        kdf=kdf.check(cast("dict[str, object]", table["kdf"])),
        key=_box(table["key"], kdf.KEY_BYTES),
        records={name: _record(name, row) for name, row in rows.items()},
        seal=_bytes(bytes.fromhex(cast("str", table["seal"])), _SEAL_BYTES),
    )


def _record(name: str, row: dict[str, object]) -> Record:
    version, created, bound = row["version"], row["created"], row["binding"]
    if not NAME.fullmatch(name) or set(row) != {"version", "created", "binding", "box"}:
        raise ValueError(f"the record {name[:64]!r} has another shape")
    if type(version) is not int or type(created) is not int or version < 1 or created < 0:
        raise ValueError(f"the record {name} has no version")
    binding = None if bound is None else _binding(cast("dict[str, object]", bound))
    return Record(version, created, _box(row["box"]), binding)


def _binding(row: dict[str, object]) -> Binding:
    parts: dict[str, tuple[str, ...]] = {}
    for name in ("hosts", "methods", "paths"):
        texts = cast("list[object]", row[name])
        if not isinstance(row[name], list) or not all(isinstance(text, str) for text in texts):
            raise ValueError(f"a binding's {name} are not a list of texts")
        parts[name] = tuple(cast("list[str]", texts))
    if set(row) != set(parts) or not parts["hosts"]:
        raise ValueError("a binding has another shape")
    return Binding(**parts)


def bound(binding: Binding | None) -> dict[str, list[str]] | None:
    """Give a binding as plain data."""
    if binding is None:
        return None
    return {"hosts": [*binding.hosts], "methods": [*binding.methods], "paths": [*binding.paths]}


def _row(record: Record) -> dict[str, object]:
    parts = {"version": record.version, "created": record.created, "binding": bound(record.binding)}
    return {**parts, "box": _text(record.box)}


def _text(box: Box) -> str:
    return b64encode(box.nonce + box.data).decode("ascii")


def _box(text: object, size: int | None = None) -> Box:
    data = b64decode(cast("str", text), validate=True)
    least = NONCE_BYTES + _TAG_BYTES
    most = least + (LARGEST_VALUE if size is None else size)
    if not (least if size is None else most) <= len(data) <= most:
        raise ValueError("something encrypted has a size that it cannot have")
    return Box(data[:NONCE_BYTES], data[NONCE_BYTES:])


def _bytes(data: bytes, size: int) -> bytes:
    if len(data) != size:
        raise ValueError("its seal has another size")
    return data


def _sum(table: Mapping[str, object]) -> str:
    return sha256(canonical(table)).hexdigest()
