"""The secret stores that are built in: `env`, this process's own environment, and `file`, a private directory."""

from collections.abc import Mapping

from aisbx.hookspecs import hookimpl
from aisbx.types import Secrets


@hookimpl
def aisbx_secrets(name: str, settings: Mapping[str, object]) -> Secrets | None:
    """Give the store of that name."""
    if name == "env":
        from aisbx.secrets.environ import EnvironmentSecrets

        return EnvironmentSecrets(settings)
    if name == "file":
        from aisbx.secrets.files import FileSecrets

        return FileSecrets(settings)
    return None
