"""The secret store `vault`: one encrypted file of the user's."""

from collections.abc import Mapping

from aisbx import hookimpl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aisbx.types import Secrets


@hookimpl
def aisbx_secrets(name: str, settings: Mapping[str, object]) -> "Secrets | None":
    """Give the store; its settings are `passphrase_file` and `passphrase_fd`, and the core's `state_dir`."""
    if name != "vault":
        return None
    from aisbx_vault.store import Store

    return Store(settings)
