"""Keep a sandbox from writing the aisbx that started it: read-only mounts over the parts that a writable one shows.

A mount point can't be written, removed or renamed from inside, but the directories above it can be renamed, and others
put in their place. So those between the writable mount and a part are mount points as well, bound over themselves.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from aisbx.errors import PolicyError, WorkspaceError
from aisbx.inputs import Inputs
from aisbx.installation.parts import Part
from aisbx.locate import Place, locate
from aisbx.places import within
from aisbx.regions import MountTable, Region, Shown
from aisbx.types import Mount, SandboxSpec, WorkspaceMode

ORIGIN = "aisbx itself"
ABOVE = "holds a part of aisbx"


@dataclass(frozen=True, slots=True)
class _View:
    """A writable mount: what of the host it shows, and where inside."""

    place: Place
    target: str
    mount: Mount | None
    """None: the workspace."""

    def refuse(self, why: str) -> WorkspaceError | PolicyError:
        """Give the error that says why no mount can hold it."""
        source = self.place.path
        if self.mount is None:
            hint = f"use --workspace {source}:ro, or an aisbx that is installed elsewhere"
            return WorkspaceError(f"{source} may not be a writable workspace: it {why}", hint=hint)
        return PolicyError(f"{source} cannot be mounted writable: it {why}", hint=f"drop :rw of {self.mount.source}")


def hold(spec: SandboxSpec, parts: Iterable[Part], inputs: Inputs) -> SandboxSpec:
    """Give the spec with a read-only mount over each part that could be written.

    WorkspaceError or PolicyError where no mount can hold it: the writable directory lies in a part or shows one by a
    second name, a part is not there yet, or aisbx is reached by a link that the command could change.
    """
    views = list(_views(spec, inputs))
    if not views:
        return spec
    located = [(part, *locate(part.path, inputs)) for part in parts]
    located.sort(key=lambda row: row[1].path)  # what lies in another part comes after it
    table = MountTable()
    mounts = {mount.target: mount for mount in spec.mounts}
    taken = [*mounts, *([spec.workspace.path] if spec.workspace else [])]
    for view in views:
        held: list[str] = []
        shown = table.shown(view.place.path, inputs)
        alone = table.alone(shown)
        for part, place, _ in located:
            below = _below(view, part, place)
            if not alone:
                known = [place.path] if below is None else [place.path, os.path.join(view.place.path, *below)]
                _check_names(view, part, shown, table.region(place), known)
            if below is None or any(within(place.path, path) for path in held):
                continue
            _check_there(view, part, place)
            held.append(place.path)
            for mount in _over(view, below, place, taken):
                mounts.setdefault(mount.target, mount)
        for part, _, links in located:
            _check_links(view, part, links, held)
    return replace(spec, mounts=tuple(mounts[target] for target in sorted(mounts)))


def _views(spec: SandboxSpec, inputs: Inputs) -> Iterator[_View]:
    if spec.workspace is not None and spec.workspace.mode is not WorkspaceMode.RO:
        yield _View(locate(spec.workspace.path, inputs)[0], spec.workspace.path, None)
    for mount in spec.mounts:
        if mount.writable:
            yield _View(locate(mount.source, inputs)[0], mount.target, mount)


def _below(view: _View, part: Part, place: Place) -> tuple[str, ...] | None:
    """Give the way from the writable directory to a part in it; None where it shows nothing of that part."""
    above = view.place.below(place)
    if above is not None and not (part.shared and above):
        raise view.refuse(f"{'lies in' if above else 'is'} {part.what} ({part.path})")
    return place.below(view.place)


def _check_names(view: _View, part: Part, shown: Shown, region: Region | None, known: Sequence[str]) -> None:
    """Refuse other names that bind mounts of the host give to a part, or to what lies in it: those are not held."""
    for name in shown.names(region, inside=not part.shared) if region else ():
        if not any(within(name, path) for path in known):
            raise view.refuse(f"shows {part.what} ({part.path}) as {name} too, by a mount of the host")


def _check_there(view: _View, part: Part, place: Place) -> None:
    if not place.there:
        raise view.refuse(f"would let the command make {place.path}, which belongs to {part.what}")


def _check_links(view: _View, part: Part, links: Iterable[Place], held: Sequence[str]) -> None:
    for link in links:
        if link.below(view.place) is not None and not any(within(link.path, path) for path in held):
            raise view.refuse(f"holds the link {link.path}, which leads to {part.what}: the command could change it")


def _over(view: _View, below: Sequence[str], place: Place, taken: Sequence[str]) -> Iterator[Mount]:
    """Give a mount over a part, and over each directory on the way to it.

    Where another mount covers that way, nothing below it is the host's any more; it holds its own mount point.
    """
    target, source = view.target, place.path.removesuffix("/" + "/".join(below))
    for name in below:
        target, source = os.path.join(target, name), os.path.join(source, name)
        if target in taken:
            return
        if source == place.path:
            yield Mount(source, target, origin=ORIGIN)
        else:
            yield Mount(source, target, writable=True, origin=ABOVE)
