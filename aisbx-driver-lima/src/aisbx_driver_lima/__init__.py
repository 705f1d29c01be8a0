"""aisbx driver whose sandboxes are in a virtual machine that Lima runs."""

from collections.abc import Mapping

from aisbx import hookimpl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aisbx.types import Driver


@hookimpl
def aisbx_driver(name: str, settings: Mapping[str, object]) -> "Driver | None":
    """Give the driver; `settings` is the table `[drivers.lima]`."""
    if name != "lima":
        return None
    from aisbx_driver_lima.driver import LimaDriver

    return LimaDriver(settings)
