"""The hooks that a plugin may implement: one for each kind, all of one shape.

A plugin is a module that an entry point of the kind's group names; the entry point's name is the
plugin's name. Its hook gets that name and gives back the object, or None if the name is not its own:

    from aisbx import hookimpl

    @hookimpl
    def aisbx_driver(name, settings):
        if name != "null":
            return None
        from my_driver.driver import NullDriver
        return NullDriver()

Hooks are `firstresult`: the core asks the one plugin whose metadata claims the name.
"""

from collections.abc import Mapping

import pluggy

from aisbx.types import Auth, Driver, Egress, Policy, Secrets, Sink, Transport

PROJECT = "aisbx"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

Settings = Mapping[str, object]
"""The plugin's own table of the settings (`[drivers.NAME]`, `[sink_settings.NAME]`,
`[secret_settings.NAME]`), already validated as data.

A driver's also holds `cache_dir`, the path of a private directory (0700) where it may keep what it can make again.
For `aisbx doctor` it is a place where nothing can be kept (the null device): then it looks at everything anew.
An authenticator's holds `state_dir`, the path of the private directory of aisbx's state; a secret store's too, and
`config_dir`, that of the configuration.
"""


@hookspec(firstresult=True)
def aisbx_driver(name: str, settings: Settings) -> Driver | None:
    """Return the driver called `name`, or None if it is not yours.

    Example: `return BwrapDriver(settings) if name == "bwrap" else None`
    """


@hookspec(firstresult=True)
def aisbx_profile(name: str) -> str | None:
    """Return the YAML text of the profile called `name`, or None if it is not yours. Data only.

    Example: `return files(__name__).joinpath(f"{name}.yaml").read_text()`
    """


@hookspec(firstresult=True)
def aisbx_auth(name: str, settings: Settings) -> Auth | None:
    """Return the authenticator called `name`, or None if it is not yours.

    Example: `return KeyFile(settings["path"]) if name == "keyfile" else None`
    """


@hookspec(firstresult=True)
def aisbx_transport(name: str, settings: Settings) -> Transport | None:
    """Return the transport called `name`, or None if it is not yours.

    Example: `return Stdio() if name == "stdio" else None`
    """


@hookspec(firstresult=True)
def aisbx_policy(name: str, settings: Settings) -> Policy | None:
    """Return the policy called `name`, or None if it is not yours. It can only narrow.

    Example: `return OfficeHours(settings) if name == "office-hours" else None`
    """


@hookspec(firstresult=True)
def aisbx_secrets(name: str, settings: Settings) -> Secrets | None:
    """Return the secret store called `name`, or None if it is not yours.

    Example: `return Vault(settings["file"]) if name == "vault" else None`
    """


@hookspec(firstresult=True)
def aisbx_sink(name: str, settings: Settings) -> Sink | None:
    """Return the event sink called `name`, or None if it is not yours.

    Example: `return Syslog() if name == "syslog" else None`
    """


@hookspec(firstresult=True)
def aisbx_egress(name: str, settings: Settings) -> Egress | None:
    """Return the egress proxy called `name`, or None if it is not yours.

    Example: `return AllowListProxy() if name == "allowlist" else None`
    """
