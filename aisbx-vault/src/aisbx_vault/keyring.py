"""The system's keyring (library `keyring`, an extra) as the place of the wrapping key."""

import os
from contextlib import suppress
from importlib import import_module
from typing import Protocol, cast

from aisbx.errors import SecretError

SERVICE = "aisbx-vault"
_KEY_BYTES = 32


class _Library(Protocol):
    def get_password(self, service_name: str, username: str) -> str | None: ...
    def set_password(self, service_name: str, username: str, password: str) -> None: ...
    def delete_password(self, service_name: str, username: str) -> None: ...


def make(entry: str) -> None:
    """Put a random key there under a name; SecretError where there is no keyring, or it does not keep it."""
    key = os.urandom(_KEY_BYTES).hex()
    try:
        library = _library()
        library.set_password(SERVICE, entry, key)
        kept = library.get_password(SERVICE, entry)
    except Exception as error:
        raise _failed(error) from error
    if kept != key:
        raise SecretError("the system's keyring does not keep what is put into it", hint="use a passphrase")


def read(entry: str) -> bytes:
    """Give the key of a name; SecretError where the keyring cannot be asked, or has none that could be."""
    try:
        text = _library().get_password(SERVICE, entry)
    except Exception as error:
        raise _failed(error) from error
    try:
        key = bytes.fromhex(text or "")
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        what = f"the system's keyring has no key {entry[:8]}… of {SERVICE}"
        raise SecretError(what, hint="log in as the user, and in the session, that made the vault")
    return key


def forget(entry: str) -> None:
    """Remove a name that nothing needs any more; that it stays harms nobody."""
    with suppress(Exception):  # a backend of somebody else's; the vault is whole without it
        _library().delete_password(SERVICE, entry)


def _library() -> _Library:
    try:
        return cast("_Library", import_module("keyring"))
    except ImportError:
        raise SecretError("the library keyring is not installed", hint="pip install 'aisbx-vault[keyring]'") from None


def _failed(error: Exception) -> SecretError:
    if isinstance(error, SecretError):
        return error
    what = f"the system's keyring cannot be used: {type(error).__name__}: {error}"
    return SecretError(what, hint="unlock it, or use a passphrase")
