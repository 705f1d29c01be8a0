"""The vault as a secret store."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from aisbx.errors import SecretError
from aisbx.types import Binding, Probe

from aisbx_vault.passphrase import Passphrase
from aisbx_vault.vault import Opened, Vault


class Store:
    """Gives secrets of the user's vault; the passphrase is asked for once, at the first."""

    def __init__(self, settings: Mapping[str, object]) -> None:
        """Take the table of the settings, and `state_dir`; ConfigError for what is wrong in it."""
        self._passphrase = Passphrase(settings)
        self._vault = Vault(Path(str(settings["state_dir"])))
        self._opened: Opened | None = None

    def get(self, ref: str) -> bytes:
        """Give a secret's value; SecretError where there is none, or the vault cannot be opened."""
        self._named(ref)
        if self._opened is None:
            self._opened = self._vault.open(self._passphrase)
        return self._opened.keys.open(ref, self._opened.document.records[ref])

    def binding(self, ref: str) -> Binding | None:
        """Give to what a secret is bound, None where it is not; asks for no passphrase."""
        self._named(ref)
        records = self._opened.document.records if self._opened else self._vault.records()
        return records[ref].binding

    def names(self) -> Iterable[str]:
        """Give the names of all secrets; asks for no passphrase. SecretError where there is no vault."""
        return [*(self._opened.document.records if self._opened else self._vault.records())]

    def probe(self) -> Probe:
        """Say whether there is a vault that can be opened; asks for no passphrase."""
        try:
            count, method = len(self._vault.records()), self._vault.method()
        except SecretError as error:
            return Probe(usable=False, reason=error.message, remedy=error.hint)
        return Probe(usable=True, facts={"secrets": str(count), "opened by": method})

    def _named(self, ref: str) -> None:
        known = self._opened.document.records if self._opened else self._vault.records()
        if ref not in known:
            raise SecretError(f"the vault has no secret {ref!r}", hint="see: aisbx secret list")
