"""From a request, a profile and the settings to the one specification that drivers see. Pure: reads nothing.

The request has the last word but for two things: what a restriction of the profile excludes, and what no sandbox
gets at all.
"""

from aisbx.identity import identity
from aisbx.resolve.spec import resolve

__all__ = ["identity", "resolve"]
