"""What the process is told that is to hold an allow-list."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from aisbx.audit.places import place
from aisbx.audit.write import RESERVE
from aisbx.errors import ConfigError
from aisbx.inputs import Inputs
from aisbx.paths import config_dir, state_dir
from aisbx.plugins import Plugins
from aisbx.settings import Settings
from aisbx.types import AuditPlace, Authority, Binding, ProxiedSecret, Proxy, SandboxSpec

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
    log = place(state, config_dir(inputs), audit.rotate, audit.keep, audit.export)
    allow, disable = settings.plugins.allow, settings.plugins.disable
    sinks = {name: settings.sink_settings.get(name, {}) for name in settings.sinks}
    proxy = held_by(PLUGIN, spec.network.allow, state, log, table=table, allow=allow, disable=disable, sinks=sinks)
    return replace(spec, network=replace(spec.network, proxy=proxy))


def held_by(
    plugin: str,
    rules: Sequence[str],
    state: Path,
    log: AuditPlace,
    *,
    table: Mapping[str, object],
    allow: Sequence[str] | None = None,
    disable: Sequence[str] = (),
    sinks: Mapping[str, Mapping[str, object]] = MappingProxyType({}),
) -> Proxy:
    """Give the process by which a plugin holds rules, writes its decisions to a log, and then tells them to `sinks`.

    `table` has the plugin's settings; `allow` and `disable` say which plugins there are, as in the settings; `sinks`
    has the settings of each.
    """
    job = {
        "plugin": plugin,
        "settings": dict(table),
        "allow": None if allow is None else list(allow),
        "disable": list(disable),
        "rules": list(rules),
        "sinks": {name: dict(settings) for name, settings in sinks.items()},
        "audit": log,
        "reserve": str(state / RESERVE),
    }
    words = (sys.executable, "-I", "-m", "aisbx.egress.server", str(state))  # for whoever lists processes
    return Proxy(words, json.dumps(job))


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
