"""Plugins: a table read from metadata, one import for the one that is asked for, loud about conflicts."""

from aisbx.plugins.load import Plugins
from aisbx.plugins.table import KINDS, PluginInfo

__all__ = ["KINDS", "PluginInfo", "Plugins"]
