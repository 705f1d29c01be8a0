"""A driver that confines nothing."""

from collections.abc import Mapping

from aisbx import hookimpl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aisbx.types import Driver


@hookimpl
def aisbx_driver(name: str, settings: Mapping[str, object]) -> "Driver | None":
    """Give the driver called `null`; it has no settings."""
    del settings
    if name != "null":
        return None
    from aisbx_driver_null.driver import NullDriver

    return NullDriver()
