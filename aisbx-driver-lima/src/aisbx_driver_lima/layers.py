"""`Layers` of a sandbox that lasts in the guest: its layer is brought to the host, and reviewed as one of the host's.

It is brought anew for each review while the sandbox lives, and once when it has ended; from then on the host's is all
there is.
"""

import fcntl
import os
import tarfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from aisbx.errors import StateError
from aisbx_linux.layer.layers import Layer
from aisbx_linux.layer.place import drop
from aisbx_linux.layer.review import OverlayLayers

from aisbx_driver_lima.guest import trees
from aisbx_driver_lima.guest.frames import Channel, ClosedError, TreeReader

_UPPER, _LAST, _LOST = "upper", "last", "lost"
_HINT = "try again; set more for copy in [drivers.lima]; or give it up: aisbx destroy --discard NAME"


class GuestLayers(OverlayLayers):
    """The layer in `place`, of the sandbox in `home`."""

    def __init__(self, place: Path, home: Path, fetch: Callable[[], Channel] | None, most: int) -> None:
        """`fetch` asks the guest for the layer of a sandbox that lives; `most` bounds what comes, in bytes."""
        super().__init__(place, home)
        self.live = fetch is not None
        self._fetch = fetch
        self._most = most
        self._lost = (home / _LOST).exists()

    @contextmanager
    def _opened(self) -> Generator[Layer]:
        if self._lost:
            hint = "aisbx destroy --discard removes what is left of it"
            raise StateError("the machine ended before what the sandbox wrote was brought from it", hint=hint)
        if self._fetch is not None:
            bring(self._place, self._fetch(), self._most)
            self._fetch = None  # one look is of one moment
        with super()._opened() as layer:
            yield layer


def bring(place: Path, channel: Channel, most: int) -> None:
    """Have the layer in `place` hold what comes over a connection, which is closed; StateError, and it is as before."""
    lock = os.open(f"{place}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    upper, fresh, old = f"{place}/{_UPPER}", f"{place}/.{_UPPER}", f"{place}/.old"
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.lexists(old) and not os.path.lexists(upper):
            os.rename(old, upper)  # who brought it before was killed between the two below
        _clear(fresh)
        os.mkdir(fresh, 0o700)
        root = os.open(fresh, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            reader = TreeReader(channel, most)
            trees.unpack(reader, root, layer=True)
            reader.drain()
        finally:
            os.close(root)
        _clear(old)
        os.rename(upper, old)
        os.rename(fresh, upper)
        _clear(old)
    except (ClosedError, ValueError, OSError, tarfile.TarError) as error:
        what = "what the sandbox wrote could not be brought from the guest"
        raise StateError(f"{what}: {error}", hint=_HINT) from error
    finally:
        channel.close()
        os.close(lock)


def ended(home: Path) -> bool:
    """Tell whether the sandbox was ended, and its layer brought for the last time."""
    return (home / _LAST).exists()


def note_end(home: Path, *, lost: bool = False) -> None:
    """Note that it was; `lost`: its machine had ended before."""
    if lost:
        (home / _LOST).touch(0o600)
    (home / _LAST).touch(0o600)


def _clear(place: str) -> None:
    if os.path.lexists(place):
        drop(place)
