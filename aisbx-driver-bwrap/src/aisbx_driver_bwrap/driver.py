"""The bubblewrap driver: which bubblewrap it is; the rest is what all of Linux's namespace drivers do."""

from collections.abc import Mapping
from pathlib import Path

from aisbx.errors import ConfigError
from aisbx.types import Probe
from aisbx_linux.local.driver import NamespaceDriver, Tool

from aisbx_driver_bwrap import tool


class BwrapDriver(NamespaceDriver):
    """One sandbox is one bubblewrap: with a command that ends it, or one that others join."""

    name = "bwrap"

    def __init__(self, settings: Mapping[str, object]) -> None:
        """Keep the settings: `cache_dir`, a private directory, and `path`, a bubblewrap to use instead of searching.

        ConfigError for any other, and for a path that depends on the current directory.
        """
        _check(settings)
        super().__init__(Path(str(settings["cache_dir"])))
        self._settings = settings

    def find_tool(self, remembered: str) -> tuple[Tool | None, Probe]:
        """Find the first bubblewrap that will do, and try it; see `tool.probe`."""
        return tool.probe(self._settings, remembered)


def _check(settings: Mapping[str, object]) -> None:
    for name in sorted(settings.keys() - {"cache_dir", "path"}):
        raise ConfigError("there is no such setting", key=f"drivers.bwrap.{name}", hint="the only one is path")
    path = settings.get("path", "/")
    if not isinstance(path, str) or not path.startswith("/"):
        hint = "name a bubblewrap, such as /usr/bin/bwrap, or remove it"
        raise ConfigError(f"{path!r} is not an absolute path", key="drivers.bwrap.path", hint=hint)
