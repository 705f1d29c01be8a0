"""The chroot driver: a tool of our own in the place of bubblewrap; the rest is what namespace drivers share."""

from collections.abc import Mapping
from pathlib import Path

from aisbx.errors import ConfigError
from aisbx.types import Probe
from aisbx_linux.local.driver import NamespaceDriver, Tool

from aisbx_driver_chroot import tool


class ChrootDriver(NamespaceDriver):
    """One sandbox is one process of `aisbx_linux.confine`: with a command that ends it, or one that others join."""

    name = "chroot"

    def __init__(self, settings: Mapping[str, object]) -> None:
        """Keep the settings: `cache_dir`, a private directory, and `python`, an interpreter to use for the tool.

        ConfigError for any other, and for a path that depends on the current directory.
        """
        _check(settings)
        super().__init__(Path(str(settings["cache_dir"])))
        self._settings = settings

    def find_tool(self, remembered: str) -> tuple[Tool | None, Probe]:
        """Find an interpreter that can carry our tool, and try it; see `tool.probe`."""
        return tool.probe(self._settings, remembered)


def _check(settings: Mapping[str, object]) -> None:
    for name in sorted(settings.keys() - {"cache_dir", "python"}):
        raise ConfigError("there is no such setting", key=f"drivers.chroot.{name}", hint="the only one is python")
    path = settings.get("python", "/")
    if not isinstance(path, str) or not path.startswith("/"):
        hint = "name an interpreter, such as /usr/bin/python3, or remove it"
        raise ConfigError(f"{path!r} is not an absolute path", key="drivers.chroot.python", hint=hint)
