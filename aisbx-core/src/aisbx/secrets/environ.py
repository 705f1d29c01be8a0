"""The secret store `env`: variables of the environment that aisbx was started with."""

import os
from collections.abc import Mapping

from aisbx.errors import ConfigError, SecretError


class EnvironmentSecrets:
    """Gives variables by their name; as bytes, as the system has them."""

    def __init__(self, settings: Mapping[str, object]) -> None:
        """ConfigError for any setting: it has none."""
        for key in sorted(settings.keys() - {"state_dir", "config_dir"}):
            raise ConfigError("there is no such setting", key=f"secret_settings.env.{key}", hint="remove it")

    def get(self, ref: str) -> bytes:
        """Give a variable's value; SecretError where it is not set, or empty."""
        value = os.environ.get(ref, "")
        if not value:
            raise SecretError(f"the variable {ref} is not set, or empty", hint=f"export {ref}, or name another secret")
        return os.fsencode(value)
