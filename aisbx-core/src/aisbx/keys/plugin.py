"""The authenticator `api-key`."""

import time
from collections.abc import Mapping
from pathlib import Path

from aisbx.errors import AuthError, ConfigError
from aisbx.hookspecs import hookimpl
from aisbx.keys.keyring import Keyring
from aisbx.types import Auth, Principal

NAME = "api-key"
_PREFIX = "key:"


class ApiKey:
    """Knows principals by their keys, from the file as it is now: a revocation holds from the next request on."""

    def __init__(self, keyring: Keyring) -> None:
        """Read nothing yet."""
        self._keyring = keyring

    def authenticate(self, credentials: Mapping[str, str]) -> Principal:
        """Give the principal of `credentials["key"]`; AuthError where that is no key, or one that has ended."""
        written = credentials.get("key", "")
        if not written:
            raise AuthError("no key was given", hint="send it as `Authorization: Bearer KEY` or `X-API-Key: KEY`")
        key = self._keyring.find(written)
        if key is None:
            raise AuthError("this is no key of this host", hint="whoever runs it makes one: aisbx key create")
        state = key.state(time.time())
        if state != "active":
            raise AuthError(f"this key is {state}", hint="whoever runs the host makes another: aisbx key create")
        return key.principal

    def stands(self, principal: Principal) -> bool:
        """Say whether that principal's key still holds."""
        key = self._keyring.all().get(principal.id.removeprefix(_PREFIX))
        return key is not None and key.state(time.time()) == "active"


@hookimpl
def aisbx_auth(name: str, settings: Mapping[str, object]) -> Auth | None:
    """Give the authenticator `api-key`."""
    if name != NAME:
        return None
    state = settings.get("state_dir")
    if not isinstance(state, str):
        raise ConfigError("the authenticator api-key needs to be told where state is kept", key="state_dir")
    return ApiKey(Keyring(Path(state)))
