"""Which part of which file system a directory shows: two names, by links or by bind mounts, can show the same.

The identity of a directory finds another name of it, and of what holds it. It does not find another name of what lies
in it: with `mount --bind project/.git /other`, neither lies in the other by any path. The kernel's table of mounts
says that.
"""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from aisbx.errors import PolicyError
from aisbx.inputs import Inputs
from aisbx.locate import Place, locate
from aisbx.places import within

_MOUNTINFO = "/proc/self/mountinfo"


@dataclass(frozen=True, slots=True)
class Region:
    """A subtree of a file system: its device as the table of mounts names it, and the path from its own root."""

    device: str
    path: str

    def holds(self, other: "Region") -> bool:
        """Tell whether the other one is this or a part of it."""
        return self.device == other.device and within(other.path, self.path)


@dataclass(frozen=True, slots=True)
class Shown:
    """A path and all that is shown by it, mounts that lie below it included; `regions` begins with its own."""

    place: Place
    regions: tuple[Region, ...]
    points: tuple[str, ...] = ()
    """Where each region is shown."""

    def holds(self, other: "Shown") -> bool:
        """Tell whether the other path, by whatever name, is this one or lies in it."""
        if other.place.below(self.place) is not None:
            return True
        return any(one.holds(theirs) for one in self.regions for theirs in other.regions[:1])

    def meets(self, other: "Shown") -> bool:
        """Tell whether there is anything that both show."""
        if self.holds(other) or other.holds(self):
            return True
        return any(a.holds(b) or b.holds(a) for a in self.regions for b in other.regions)

    def names(self, other: Region, *, inside: bool = True) -> Iterator[str]:
        """Give each path by which this shows a region, also where it shows but something `inside` that."""
        for region, point in zip(self.regions, self.points, strict=True):
            if region.holds(other):
                yield _join(point, other.path, region.path)
            elif inside and other.holds(region):
                yield point


@dataclass(frozen=True, slots=True)
class _Mounted:
    point: str
    region: Region


class MountTable:
    """The mounts of this process's namespace, as they are now; empty on systems other than Linux."""

    def __init__(self) -> None:
        """Read /proc/self/mountinfo (proc(5)). PolicyError where Linux doesn't show it."""
        self._mounts: dict[str, _Mounted] = {}
        if sys.platform != "linux":
            return
        try:
            with open(_MOUNTINFO, "rb") as file:
                lines = file.read().splitlines()
        except OSError as error:
            hint = "mount -t proc proc /proc"
            raise PolicyError(f"/proc is not mounted here: {_MOUNTINFO}: {error.strerror}", hint=hint) from error
        for line in lines:
            number, _, device, root, point, *_ = line.split(b" ")
            region = Region(device.decode(), plain(root))
            self._mounts[number.decode()] = _Mounted(plain(point), region)

    def shown(self, path: str, inputs: Inputs) -> Shown:
        """Give what an absolute path shows; it need not be there. PolicyError where that can't be told."""
        place = locate(path, inputs)[0]
        own = self.region(place)
        if own is None:
            return Shown(place, ())
        below = [each for each in self._mounts.values() if place.there and _below(each.point, place.path)]
        points = (place.path, *(each.point for each in below))
        return Shown(place, (own, *(each.region for each in below)), points)

    def alone(self, shown: Shown) -> bool:
        """Tell whether each file system that is shown is mounted just once, so that nothing has a second name."""
        devices = [each.region.device for each in self._mounts.values()]
        return all(devices.count(region.device) == 1 for region in shown.regions)

    def region(self, place: Place) -> Region | None:
        """Give the region of a place alone, without what is mounted below it; None on systems other than Linux."""
        if sys.platform != "linux":
            return None
        names = [name for name in place.path.split("/") if name]
        there = "/" + "/".join(names[: len(place.chain) - 1])
        mounted = self._mounts.get(_mount_of(there))
        if mounted is None or not within(there, mounted.point):
            raise _unknown(f"{_MOUNTINFO} does not have the mount of {there}")
        return Region(mounted.region.device, _join(mounted.region.path, place.path, mounted.point))


def _mount_of(path: str) -> str:
    """Give the number of the mount that a path is on, links not followed (proc(5), /proc/PID/fdinfo)."""
    try:
        descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            told = os.open(f"/proc/self/fdinfo/{descriptor}", os.O_RDONLY | os.O_CLOEXEC)
            try:
                _, _, rest = os.read(told, 4096).partition(b"mnt_id:")
            finally:
                os.close(told)
        finally:
            os.close(descriptor)
        return rest.split(None, 1)[0].decode()
    except OSError as error:
        raise _unknown(f"{path}: {error.strerror}") from error


def _below(point: str, path: str) -> bool:
    return point != path and within(point, path)


def _join(root: str, path: str, point: str) -> str:
    rest = path[len(point.rstrip("/")) :].strip("/")
    return f"{root.rstrip('/')}/{rest}" if rest else root


def plain(field: bytes) -> str:
    """Undo the table's escapes: blanks, tabs, line feeds and backslashes are a backslash and three octal digits."""
    first, *rest = field.split(b"\\")
    return os.fsdecode(first + b"".join(bytes([int(part[:3], 8)]) + part[3:] for part in rest))


def _unknown(why: str) -> PolicyError:
    return PolicyError(
        f"it cannot be told what a mount shows: {why}", hint="see that /proc shows the mounts of this place"
    )
