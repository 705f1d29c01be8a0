"""The chroot driver: a tool of our own in the place of bubblewrap; the rest is what namespace drivers share."""

from aisbx.types import Probe
from aisbx_linux.local.driver import NamespaceDriver, Tool

from aisbx_driver_chroot import tool


class ChrootDriver(NamespaceDriver):
    """One sandbox is one process of `aisbx_linux.confine`: with a command that ends it, or one that others join."""

    name = "chroot"
    setting = "python"
    example = "an interpreter, such as /usr/bin/python3"

    def find_tool(self, remembered: str) -> tuple[Tool | None, Probe]:
        """Find an interpreter that can carry our tool, and try it; see `tool.probe`."""
        return tool.probe(self._settings, remembered)
