"""What is said of a secret without its value."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

PLACE = "/run/secrets"
"""Where files with secrets are inside."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret by name, never its value, and how a sandbox gets it.

    `store` is the name of a plugin (empty: the settings' `secret_store`). `variable` names a variable of the
    environment; empty: the file `/run/secrets/TARGET`, which only the command's user can read.
    """

    name: str
    store: str = ""
    target: str = ""
    variable: str = ""


@dataclass(frozen=True, slots=True)
class Binding:
    """Where a secret may be sent: hosts, HTTP methods, and beginnings of paths (of the last two, none: any).

    What is bound never enters a sandbox, in no form: it is for the proxy of the network to put in.
    """

    hosts: tuple[str, ...]
    methods: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()


@runtime_checkable
class NamedSecrets(Protocol):
    """A store that can say what there is, never a value, and without asking anybody anything."""

    def names(self) -> Iterable[str]:
        """Give the names; SecretError where the store cannot be read."""
        ...
