"""aisbx driver that confines with bubblewrap on Linux."""

from collections.abc import Mapping

from aisbx import hookimpl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aisbx.types import Driver


@hookimpl
def aisbx_driver(name: str, settings: Mapping[str, object]) -> "Driver | None":
    """Give the driver; `settings` is the table `[drivers.bwrap]`."""
    if name != "bwrap":
        return None
    from aisbx_driver_bwrap.driver import BwrapDriver

    return BwrapDriver(settings)
