"""Where a path ends, by which links, and in which directories that is: by device and inode, not by name.

One directory can have several names, by links and by bind mounts of the host.
"""

import os
import stat
from dataclasses import dataclass

from aisbx.inputs import Inputs

MOST_LINKS = 40
"""As in Linux (MAXSYMLINKS, path_resolution(7))."""


@dataclass(frozen=True, slots=True)
class Place:
    """A real path; `chain` has (device, inode) of the root and of each step from there, as far as there are any."""

    path: str
    chain: tuple[tuple[int, int], ...]

    @property
    def there(self) -> bool:
        """Tell whether there is anything."""
        return len(self.chain) == len(self._names()) + 1

    def below(self, directory: "Place") -> tuple[str, ...] | None:
        """Give the names that lead from a directory (which is there) to this place; None where it isn't in it."""
        if not directory.there or directory.chain[-1] not in self.chain:
            return None
        return tuple(self._names()[self.chain.index(directory.chain[-1]) :])

    def _names(self) -> list[str]:
        return [name for name in self.path.split("/") if name]


def locate(path: str, inputs: Inputs) -> tuple[Place, tuple[Place, ...]]:
    """Follow an absolute path, which need not be there: (its place, every link on the way); each is noted."""
    pending = path.split("/")[::-1]
    names: list[str] = []
    chain = [_identity(os.stat("/"))]
    links: list[Place] = []
    while pending:
        name = pending.pop()
        if name in {"", "."}:
            continue
        if name == "..":
            names, chain = names[:-1], chain[: max(1, len(names))]
            continue
        step = "/" + "/".join((*names, name))
        try:
            found = os.lstat(step)
        except OSError:  # not there, or not to be seen by us; what lies below is neither
            inputs.note_link(step)
            rest = [each for each in pending[::-1] if each not in {"", "."}]
            return Place("/".join((step, *rest)), tuple(chain)), tuple(links)
        names.append(name)
        if not stat.S_ISLNK(found.st_mode):
            chain.append(_identity(found))
            continue
        inputs.note_link(step)
        links.append(Place(step, (*chain, _identity(found))))
        names.pop()
        target = os.readlink(step)
        if len(links) > MOST_LINKS:
            return Place(step, tuple(chain)), tuple(links)
        if target.startswith("/"):
            names, chain = [], chain[:1]
        pending.extend(target.split("/")[::-1])
    return Place("/" + "/".join(names), tuple(chain)), tuple(links)


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino
