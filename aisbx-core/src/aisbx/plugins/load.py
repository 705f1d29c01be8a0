"""Load one plugin by kind and name.

pluggy's own `load_setuptools_entrypoints` imports every plugin, keeps one of two that share a name and says
nothing of a misspelt hook. Hence one fresh plugin manager for each plugin, registered under its entry point's value.
"""

from collections.abc import Collection, Mapping
from importlib import import_module
from typing import Literal, overload

from aisbx.errors import AisbxError, PluginBrokenError, PluginConflictError, PluginNotFoundError
from aisbx.plugins.table import KINDS, PluginInfo, conflict, mark_conflicts, read_table
from aisbx.types import Auth, Driver, Egress, Policy, Secrets, Sink, Transport

PLAIN = frozenset({"command", "tool", "prompt", "resource", "check"})
"""Kinds without a hook: the entry point names the object itself."""

EXPECTED: Mapping[str, type] = {
    "driver": Driver,
    "profile": str,
    "auth": Auth,
    "transport": Transport,
    "policy": Policy,
    "secrets": Secrets,
    "sink": Sink,
    "egress": Egress,
}

# Only distributions that exist: a hint to install a name that nobody has published invites someone to publish it.
_KNOWN: Mapping[tuple[str, str], str] = {
    ("driver", "bwrap"): "aisbx-driver-bwrap",
    ("secrets", "vault"): "aisbx-vault",
    ("egress", "allowlist"): "aisbx-egress",
    ("driver", "chroot"): "aisbx-driver-chroot",
    ("driver", "lima"): "aisbx-driver-lima",
    ("profile", "base"): "aisbx-profiles",
    ("profile", "go-dev"): "aisbx-profiles",
    ("profile", "java-dev"): "aisbx-profiles",
    ("profile", "node-dev"): "aisbx-profiles",
    ("profile", "python-dev"): "aisbx-profiles",
    ("profile", "rust-dev"): "aisbx-profiles",
    ("profile", "shell"): "aisbx-profiles",
    ("profile", "offline"): "aisbx-profiles",
    ("profile", "readonly"): "aisbx-profiles",
    ("profile", "strict"): "aisbx-profiles",
}
_FIRST: Mapping[str, str] = {"driver": "aisbx-driver-bwrap", "egress": "aisbx-egress", "profile": "aisbx-profiles"}

_NO_SETTINGS: Mapping[str, object] = {}


class Plugins:
    """The plugins of this environment: the table is read once, a plugin is imported when it is asked for."""

    def __init__(self, allow: Collection[str] | None = None, disabled: Collection[str] = ()) -> None:
        """Take the settings `plugins.allow` (None: every distribution) and the names in AISBX_DISABLE_PLUGINS."""
        self.cache = ""
        """A private directory in which the table may be kept, if it is there; without one it is read anew."""
        self._allow = allow
        self._disabled = disabled
        self._rows: list[PluginInfo] | None = None

    def table(self) -> list[PluginInfo]:
        """Give every plugin that is installed, the disabled ones and those in conflict with their reason."""
        return mark_conflicts(self._read())

    def names(self, kind: str) -> list[str]:
        """Give the names of a kind that are not disabled, sorted; those in conflict too, so that `get` can say so."""
        return sorted({row.name for row in self._enabled(kind)})

    @overload
    def get(self, kind: Literal["driver"], name: str, settings: Mapping[str, object] = ...) -> Driver: ...
    @overload
    def get(self, kind: Literal["profile"], name: str, settings: Mapping[str, object] = ...) -> str: ...
    @overload
    def get(self, kind: Literal["auth"], name: str, settings: Mapping[str, object] = ...) -> Auth: ...
    @overload
    def get(self, kind: Literal["transport"], name: str, settings: Mapping[str, object] = ...) -> Transport: ...
    @overload
    def get(self, kind: Literal["policy"], name: str, settings: Mapping[str, object] = ...) -> Policy: ...
    @overload
    def get(self, kind: Literal["secrets"], name: str, settings: Mapping[str, object] = ...) -> Secrets: ...
    @overload
    def get(self, kind: Literal["sink"], name: str, settings: Mapping[str, object] = ...) -> Sink: ...
    @overload
    def get(self, kind: Literal["egress"], name: str, settings: Mapping[str, object] = ...) -> Egress: ...
    @overload
    def get(self, kind: str, name: str, settings: Mapping[str, object] = ...) -> object: ...

    def get(self, kind: str, name: str, settings: Mapping[str, object] = _NO_SETTINGS) -> object:
        """Import the one plugin of this kind and name, and give what its hook returns.

        A profile's hook gets the name only; for those in `PLAIN` the entry point's own object is given.
        Raises PluginNotFoundError, PluginConflictError, PluginBrokenError, and whatever AisbxError the plugin
        raises itself (a ConfigError for its settings, say).
        """
        row = self._find(kind, name)
        plugin = _import(row)
        return plugin if kind in PLAIN else _ask(row, plugin, settings)

    def _read(self) -> list[PluginInfo]:
        if self._rows is None:
            self._rows = read_table(self._allow, self._disabled, self.cache)
        return self._rows

    def _enabled(self, kind: str) -> list[PluginInfo]:
        if kind not in KINDS:
            msg = f"no plugin kind {kind!r}; there are {', '.join(KINDS)}"
            raise ValueError(msg)
        return [row for row in self._read() if row.kind == kind and row.usable]

    def _find(self, kind: str, name: str) -> PluginInfo:
        enabled = self._enabled(kind)
        rows = [row for row in enabled if row.name == name]
        if len(rows) > 1:
            names = " or ".join(row.distribution for row in rows)
            raise PluginConflictError(conflict(rows), hint=f"uninstall one, or set AISBX_DISABLE_PLUGINS to {names}")
        if rows:
            return rows[0]
        for row in self._read():
            if (row.kind, row.name) == (kind, name):
                message = f"the {kind} {name!r} of {row.distribution} is not used: {row.reason}"
                raise PluginNotFoundError(message, hint="change that setting, or ask for another")
        raise _not_found(kind, name, sorted({row.name for row in enabled}))


def _not_found(kind: str, name: str, names: list[str]) -> PluginNotFoundError:
    install = _KNOWN.get((kind, name)) or ("" if names else _FIRST.get(kind, ""))
    message = f"no {kind} called {name!r} is installed" if names else f"no {kind} is installed, {name!r} neither"
    if install:
        return PluginNotFoundError(message, hint=f"pip install {install}")
    hint = f"installed: {', '.join(names)}" if names else f"install a distribution with an entry point in {KINDS[kind]}"
    return PluginNotFoundError(message, hint=hint)


def _import(row: PluginInfo) -> object:
    """Import the module that the entry point names, and take its attribute if it names one."""
    module, _, attributes = (part.strip() for part in row.value.partition(":"))
    try:
        plugin: object = import_module(module)
        for attribute in filter(None, attributes.split(".")):
            plugin = getattr(plugin, attribute)
    except (Exception, SystemExit) as error:
        raise _broken(row, f"{row.value} cannot be imported: {_one_line(error)}") from error
    return plugin


def _ask(row: PluginInfo, plugin: object, settings: Mapping[str, object]) -> object:
    """Call the hook of the row's kind on this one plugin, and check what comes back."""
    import pluggy  # 16 ms, and only who loads a plugin pays

    from aisbx import hookspecs

    hook = f"aisbx_{row.kind}"
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    try:
        manager.register(plugin, row.value)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise _broken(row, _one_line(error)) from error
    arguments: dict[str, object] = {"name": row.name}
    if row.kind != "profile":
        arguments["settings"] = settings
    caller = getattr(manager.hook, hook)
    if not caller.get_hookimpls():
        raise _broken(row, f"{row.value} has no hook {hook} marked with @aisbx.hookimpl")
    try:
        given: object = caller(**arguments)
    except AisbxError:
        raise
    except (Exception, SystemExit) as error:
        raise _broken(row, f"{hook} failed: {_one_line(error)}") from error
    if given is None:
        raise _broken(row, f"{hook} answers None for a name that its own metadata claims")
    return _checked(row, hook, given)


def _checked(row: PluginInfo, hook: str, given: object) -> object:
    expected = EXPECTED[row.kind]
    if isinstance(given, type):
        raise _broken(row, f"{hook} returned the class {given.__name__}, not an object of it")
    if not isinstance(given, expected):
        raise _broken(row, f"{hook} returned {type(given).__name__}, which is not a {expected.__name__}")
    if isinstance(given, Driver) and given.name != row.name:
        raise _broken(row, f"{hook} returned a driver whose name is {given.name!r}")
    return given


def _broken(row: PluginInfo, what: str) -> PluginBrokenError:
    return PluginBrokenError(
        f"the {row.kind} {row.name!r} of {row.distribution} {row.version} is broken: {what}",
        hint=f"reinstall or update {row.distribution}, or name it in AISBX_DISABLE_PLUGINS",
    )


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
