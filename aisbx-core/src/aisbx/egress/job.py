"""What the process is told that is to hold an allow-list."""

import json
import sys
from collections.abc import Sequence
from dataclasses import replace

from aisbx.audit.places import place
from aisbx.audit.write import RESERVE
from aisbx.errors import ConfigError
from aisbx.inputs import Inputs
from aisbx.paths import config_dir, state_dir
from aisbx.plugins import Plugins
from aisbx.settings import Settings
from aisbx.types import Authority, Binding, ProxiedSecret, Proxy, SandboxSpec

PLUGIN = "allowlist"


def with_proxy(spec: SandboxSpec, settings: Settings, plugins: Plugins, inputs: Inputs) -> SandboxSpec:
    """Give a spec whose allow-list has somebody to hold it.

    PluginNotFoundError says which distribution to install, ConfigError which setting of its is wrong.
    """
    table = settings.egress.get(PLUGIN, {})
    try:
        plugins.get("egress", PLUGIN, table)
    except ConfigError as error:
        where = settings.origins().get(error.key)
        if error.file or where is None:
            raise
        raise ConfigError(f"{where}: {error.message}", key="", hint=error.hint) from None
    state, audit = state_dir(inputs), settings.audit
    told = {
        "plugin": PLUGIN,
        "settings": dict(table),
        "allow": None if settings.plugins.allow is None else list(settings.plugins.allow),
        "disable": list(settings.plugins.disable),
        "rules": list(spec.network.allow),
        "audit": place(state, config_dir(inputs), audit.rotate, audit.keep, audit.export),
        "reserve": str(state / RESERVE),
    }
    words = (sys.executable, "-I", "-m", "aisbx.egress.server", str(state))  # for whoever lists processes
    return replace(spec, network=replace(spec.network, proxy=Proxy(words, json.dumps(told))))


def told(secrets: Sequence[ProxiedSecret], authority: Authority) -> str:
    """Give as text what the process is told of secrets; it goes by a pipe, and is kept nowhere."""
    rows = [
        {
            "name": secret.name,
            "placeholder": secret.placeholder,
            "value": secret.value.decode("latin-1"),
            "bindings": [[binding.hosts, binding.methods, binding.paths] for binding in secret.bindings],
            "headers": secret.headers,
        }
        for secret in secrets
    ]
    pair = [authority.certificate.decode("ascii"), authority.key.decode("ascii")]
    return json.dumps({"authority": pair, "secrets": rows})


def understood(text: str) -> tuple[list[ProxiedSecret], Authority]:
    """Read what `told` gave."""
    found = json.loads(text)
    certificate, key = found["authority"]
    secrets = [
        ProxiedSecret(
            name=row["name"],
            placeholder=row["placeholder"],
            value=row["value"].encode("latin-1"),
            bindings=tuple(Binding(*(tuple(part) for part in parts)) for parts in row["bindings"]),
            headers=tuple(row["headers"]),
        )
        for row in found["secrets"]
    ]
    return secrets, Authority(certificate.encode("ascii"), key.encode("ascii"))
