"""What is said of a secret without its value, and what a driver is given of one that never enters a sandbox."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

PLACE = "/run/secrets"
"""Where files with secrets are inside."""
AUTHORITIES = "/run/aisbx/authorities.pem"
"""Where the certificate authorities are inside that programs are to trust, in a sandbox with proxied secrets."""


@dataclass(frozen=True, slots=True)
class Binding:
    """Where a secret may be sent: hosts, HTTP methods, and beginnings of paths (of the last two, none: any).

    A host is `HOST[:PORT]` or `*.DOMAIN[:PORT]`, on port 443 where it names none. A path stands for itself and for what
    is below it: `/v1` for `/v1` and `/v1/x`, not for `/v10`. What is bound never enters a sandbox, in no form: it is
    for the proxy of the network to put in.
    """

    hosts: tuple[str, ...]
    methods: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret by name, never its value, and how a sandbox gets it.

    `store` is the name of a plugin (empty: the settings' `secret_store`). `variable` names a variable of the
    environment, `placeholder` one that has a random word, in whose place the proxy of the network puts the secret;
    with neither it is the file `/run/secrets/TARGET`, which only the command's user can read.
    """

    name: str
    store: str = ""
    target: str = ""
    variable: str = ""
    placeholder: str = ""
    binding: Binding | None = None
    """Of a placeholder: where the request wants it sent, beside what the store says of it. Both hold."""
    headers: tuple[str, ...] = ()
    """Of a placeholder: the names of the header fields that it is put into, in lower case; empty: the usual ones."""

    @property
    def place(self) -> str:
        """Where it is, or what stands for it, inside: the name of a variable, or the path of a file."""
        return self.variable or self.placeholder or f"{PLACE}/{self.target}"


@dataclass(frozen=True, slots=True)
class Proxied:
    """What the launch of a sandbox with proxied secrets needs beside its spec; no part of it is ever kept."""

    job: str = field(repr=False)
    """What the process of the egress plugin is told on stdin, beside `Proxy.job`."""
    authorities: bytes
    """PEM, to be shown at `AUTHORITIES`."""


@runtime_checkable
class NamedSecrets(Protocol):
    """A store that can say what there is, never a value, and without asking anybody anything."""

    def names(self) -> Iterable[str]:
        """Give the names; SecretError where the store cannot be read."""
        ...


@runtime_checkable
class Secrets(Protocol):
    """Where secrets come from. Whoever may write one chooses its name: a store looks names up, and opens no paths."""

    def get(self, ref: str) -> bytes:
        """Give the value of the secret of this name, as it is now; SecretError where it can't be had.

        Asked last, once everything else about a request has been decided. The value is in no error and no event.
        """
        ...


@runtime_checkable
class BoundSecrets(Secrets, Protocol):
    """A store that knows where a secret may be sent."""

    def binding(self, ref: str) -> Binding | None:
        """Give that, None where it may be shown to a sandbox; SecretError where there is no such secret."""
        ...
