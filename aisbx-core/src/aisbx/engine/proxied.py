"""Secrets that never enter a sandbox: it has a placeholder, and the proxy of its network puts the value in."""

import os
from collections.abc import Mapping
from secrets import token_hex
from typing import TYPE_CHECKING, Protocol

from aisbx.egress import job
from aisbx.errors import SecretError, UsageError
from aisbx.types import (
    AUTHORITIES,
    Binding,
    Driver,
    NetworkMode,
    Proxied,
    ProxiedSecret,
    SandboxSpec,
    Secret,
    SecretDriver,
    SecretEgress,
)

if TYPE_CHECKING:
    from aisbx.engine.engine import Engine

_LEAST, _MOST = 8, 4096
"""Bytes: a shorter value would be found by chance in what a server answers, a longer one is no header field's."""
_USUAL = ("api-key", "authorization", "private-token", "x-api-key", "x-auth-token", "x-goog-api-key")
"""Header fields for keys, none of which a server has reason to keep or show to others."""
_TRUST = (
    "AWS_CA_BUNDLE",
    "CARGO_HTTP_CAINFO",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "NODE_EXTRA_CA_CERTS",
    "PIP_CERT",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
)
"""Variables by which programs are told what to trust."""
_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
"""What the host trusts (Debian and Arch, Fedora, Alpine): the first that is there."""


class Given(Protocol):
    """A value, and where its store says that it may be sent."""

    @property
    def value(self) -> bytes:
        """The value."""
        ...

    @property
    def binding(self) -> Binding | None:
        """Where it may be sent; None for anywhere that the request says."""
        ...


def admit(engine: "Engine", spec: SandboxSpec, driver: Driver, environment: Mapping[str, str]) -> None:
    """Refuse what no proxy could put in; UsageError."""
    if not isinstance(driver, SecretDriver):
        hint = "take another driver: aisbx plugin list"
        raise UsageError(f"the driver {driver.name} has no proxy put secrets in", hint=hint)
    if spec.network.mode is not NetworkMode.ALLOWLIST:
        hint = "name the secret's host: --network allow=HOST:443"
        raise UsageError("a secret of type=proxy needs an allow-list, whose proxy puts it in", hint=hint)
    _plugin(engine)
    for secret in spec.secrets:
        if secret.placeholder in environment or secret.placeholder in _TRUST:
            raise UsageError(f"the variable {secret.placeholder} is given twice", hint="choose another target=")


def carry(engine: "Engine", values: Mapping[Secret, Given]) -> tuple[Proxied, dict[str, str]]:
    """Give what the launch needs for the placeholders among these secrets, and the variables of the inside.

    SecretError for a value that cannot be in a header field.
    """
    given: list[ProxiedSecret] = []
    variables: dict[str, str] = dict.fromkeys(_TRUST, AUTHORITIES)
    for secret, found in values.items():
        if not secret.placeholder:
            continue
        _check(secret, found.value)
        placeholder = f"aisbx-{token_hex(20)}"
        variables[secret.placeholder] = placeholder
        bindings = tuple(each for each in (secret.binding, found.binding) if each is not None)
        store = secret.store or engine.settings.secret_store
        name = f"{store}:{secret.name}"
        given.append(ProxiedSecret(name, placeholder, found.value, bindings, secret.headers or _USUAL))
    authority = _plugin(engine).authority(given)
    return Proxied(job.told(given, authority), authority.certificate + _trusted()), variables


def _plugin(engine: "Engine") -> SecretEgress:
    found = engine.plugins.get("egress", job.PLUGIN, engine.settings.egress.get(job.PLUGIN, {}))
    if not isinstance(found, SecretEgress):
        raise UsageError(f"the egress plugin {job.PLUGIN!r} puts no secrets in", hint="update it: pip install -U")
    return found


def _check(secret: Secret, value: bytes) -> None:
    if not _LEAST <= len(value) <= _MOST:
        what = f"the secret {secret.name!r} has {len(value)} bytes; one that the proxy puts in has {_LEAST} to {_MOST}"
        raise SecretError(what, hint="give it as a file: type=file")
    if value.strip() != value or any(byte < 0x20 or byte == 0x7F for byte in value):  # noqa: PLR2004 - control characters
        what = f"the secret {secret.name!r} has a line end or a control character, so it cannot be in a header field"
        raise SecretError(what, hint="set it anew without one: printf %s VALUE | aisbx secret set NAME")


def _trusted() -> bytes:
    """Give what the host trusts, which the inside trusts as well."""
    for path in _BUNDLES:
        try:
            with open(os.path.realpath(path), "rb") as stream:
                return b"\n" + stream.read()
        except FileNotFoundError:
            continue
    return b""
