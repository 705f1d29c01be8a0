"""From a passphrase, or from the system's keyring, to the key that wraps the data key."""

import os
from collections.abc import Mapping

from aisbx.errors import SecretError

from aisbx_vault import keyring

PBKDF2, ARGON2ID, KEYRING = "pbkdf2-hmac-sha256", "argon2id", "keyring"
METHODS = (PBKDF2, ARGON2ID, KEYRING)
KEY_BYTES = 32

Parameters = dict[str, int | str]
"""As they stand in the file: `name`, its numbers, and a `salt` in hexadecimal (of the keyring: an `entry`)."""

_USUAL: Mapping[str, Mapping[str, int]] = {
    PBKDF2: {"iterations": 600_000},  # OWASP Password Storage Cheat Sheet, 2023
    ARGON2ID: {"memory_kib": 65_536, "iterations": 3, "lanes": 4},  # RFC 9106, section 4, the second choice
    KEYRING: {},
}
# Whoever can write the file must neither make a guess cheap nor have us use all memory or time there is.
_BOUNDS: Mapping[str, Mapping[str, tuple[int, int]]] = {
    PBKDF2: {"iterations": (600_000, 10_000_000)},
    ARGON2ID: {"memory_kib": (19_456, 1 << 20), "iterations": (2, 16), "lanes": (1, 16)},
    KEYRING: {},
}
_SALT_BYTES = 16


def fresh(name: str) -> Parameters:
    """Give the usual parameters of a method with a new salt; of the keyring, with a new entry's name."""
    own = "entry" if name == KEYRING else "salt"
    return {"name": name, **_USUAL[name], own: os.urandom(_SALT_BYTES).hex()}


def check(parameters: Mapping[str, object]) -> Parameters:
    """Give back parameters that may be used; ValueError says which is wrong, before anything is worked out by them."""
    name = parameters.get("name")
    if not isinstance(name, str) or name not in _BOUNDS:
        raise ValueError(f"the method {str(name)[:40]!r} is not one of {', '.join(METHODS)}")
    own = "entry" if name == KEYRING else "salt"
    if set(parameters) != {"name", own, *_BOUNDS[name]}:
        raise ValueError(f"{name} has other parameters")
    made: Parameters = {"name": name}
    for key, (least, most) in _BOUNDS[name].items():
        value = parameters[key]
        if type(value) is not int or not least <= value <= most:
            raise ValueError(f"{name}: {key} is not from {least} to {most}")
        made[key] = value
    text = parameters[own]
    if not isinstance(text, str) or len(text) != 2 * _SALT_BYTES or set(text) - set("0123456789abcdef"):
        raise ValueError(f"{name}: its {own} is not {_SALT_BYTES} bytes in hexadecimal")
    made[own] = text
    return made


def needs_passphrase(parameters: Parameters) -> bool:
    """Say whether a passphrase is asked for."""
    return parameters["name"] != KEYRING


def derive(parameters: Parameters, passphrase: bytes) -> bytes:
    """Give the wrapping key (32 bytes); SecretError where the keyring has none, or there is not the memory for it."""
    if parameters["name"] == KEYRING:
        return keyring.read(str(parameters["entry"]))
    salt = bytes.fromhex(str(parameters["salt"]))
    if parameters["name"] == PBKDF2:
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

        return PBKDF2HMAC(SHA256(), KEY_BYTES, salt, int(parameters["iterations"])).derive(passphrase)
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    kdf = Argon2id(
        salt=salt,
        length=KEY_BYTES,
        iterations=int(parameters["iterations"]),
        lanes=int(parameters["lanes"]),
        memory_cost=int(parameters["memory_kib"]),
    )
    try:
        return kdf.derive(passphrase)
    except MemoryError:
        size = f"{int(parameters['memory_kib']) // 1024} MiB"
        raise SecretError(f"argon2id needs {size} of memory, which are not to be had", hint="make room") from None
