"""From a request, a profile and the settings to the one specification that drivers see.

`resolve` is pure: it reads nothing. The request has the last word but for two things: what a restriction of the
profile excludes, and what no sandbox gets at all. What the mounts of the result are on disk is seen
afterwards, by `real_sources` and `real_rootfs`.
"""

from aisbx.identity import identity
from aisbx.resolve.rootfs import real_rootfs
from aisbx.resolve.sources import real_sources
from aisbx.resolve.spec import resolve

__all__ = ["identity", "real_rootfs", "real_sources", "resolve"]
