"""`aisbx init --rootfs`: make a root directory that sandboxes can run on."""

import os
from pathlib import Path

from aisbx.cli.render import printable, say
from aisbx.cli.session import directory, engine
from aisbx.engine.prepare import PREFERRED
from aisbx.errors import UsageError
from aisbx.types import RootedDriver

_USUAL = "debian"


def make(where: str, origin: str) -> None:
    """Make it by the first driver that can, and say how to use it."""
    place = Path(os.path.realpath(os.path.join(directory(), where)))
    kind, colon, file = origin.partition(":")
    if kind == "tar" and colon and file:
        origin = f"tar:{os.path.join(directory(), file)}"
    here = engine()
    for name in (name for name in PREFERRED if name in here.plugins.names("driver")):
        driver = here.driver(name)
        if isinstance(driver, RootedDriver):
            driver.make_root(place, origin or _USUAL, lambda line: say(printable(line)))
            print(printable(f"Run on it: aisbx run --rootfs {place} -- CMD, or rootfs: {place} in a profile"))
            return
    raise UsageError("no driver here makes root directories", hint="pip install aisbx-driver-chroot")
