"""aisbx driver that gives a command a root directory of its own, by Linux's namespaces and without bubblewrap."""

from collections.abc import Mapping

from aisbx import hookimpl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aisbx.types import Driver


@hookimpl
def aisbx_driver(name: str, settings: Mapping[str, object]) -> "Driver | None":
    """Give the driver; `settings` is the table `[drivers.chroot]`."""
    if name != "chroot":
        return None
    from aisbx_driver_chroot.driver import ChrootDriver

    return ChrootDriver(settings)
