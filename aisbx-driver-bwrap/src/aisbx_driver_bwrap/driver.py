"""The bubblewrap driver: which bubblewrap it is; the rest is what all of Linux's namespace drivers do."""

from aisbx.types import Probe
from aisbx_linux.local.driver import NamespaceDriver, Tool

from aisbx_driver_bwrap import tool


class BwrapDriver(NamespaceDriver):
    """One sandbox is one bubblewrap: with a command that ends it, or one that others join."""

    name = "bwrap"
    setting = "path"
    example = "a bubblewrap, such as /usr/bin/bwrap"

    def find_tool(self, remembered: str) -> tuple[Tool | None, Probe]:
        """Find the first bubblewrap that will do, and try it; see `tool.probe`."""
        return tool.probe(self._settings, remembered)
