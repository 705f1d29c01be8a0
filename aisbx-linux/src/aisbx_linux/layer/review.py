"""`Layers` of a driver whose layers are overlay mounts."""

import fcntl
import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from aisbx.errors import StateError
from aisbx.types import Change

from aisbx_linux.lasting.identity import lives, other_version, recall
from aisbx_linux.lasting.pause import changing
from aisbx_linux.layer import sized
from aisbx_linux.layer.ask import RefusedError, ask
from aisbx_linux.layer.equal import OPEN_FILE
from aisbx_linux.layer.layers import GoneError, Layer, finish
from aisbx_linux.layer.place import about, drop
from aisbx_linux.layer.stack import below
from aisbx_linux.layer.walk import DELETED, Difference, kind_of
from aisbx_linux.protect.walk import open_beneath

_PERMISSIONS = 0o7777


class OverlayLayers:
    """The layer in a directory of ours, opened anew for each call."""

    def __init__(self, place: Path, home: Path) -> None:
        """`home` is that of the sandbox which the layer `place` is of. StateError where it can't be read."""
        known = about(str(place))
        if known is None:
            raise StateError(f"{place} holds no layer that this version of aisbx knows", hint="look at it by hand")
        self.workspace = known["workspace"]
        self._place = place
        self._name = home.name if place == home else home.parent.name
        held = recall(str(home)) or other_version(str(home))
        self.live = _held(place) if place == home else held is not None and lives(held)

    def changes(self, paths: Sequence[str] = ()) -> Iterator[Change]:
        """Give what differs from the workspace."""
        with self._opened() as layer:
            yield from map(_change, layer.differences(paths))

    def contents(self, change: Change, limit: int) -> tuple[bytes | None, bytes | None]:
        """Give a file's content in the workspace and in the layer."""
        with self._opened() as layer:
            now = (_read(one, change.path, limit) for one in layer.layers)
            was = _read(layer.workspace, change.path, limit)
            return was, None if change.action == DELETED else next((data for data in now if data is not None), None)

    def apply(self, paths: Sequence[str] = (), *, force: bool = False) -> Iterator[tuple[Change, str]]:
        """Apply changes; of a sandbox that runs, they stay in the layer too, which is in use."""
        with self._held(), self._opened() as layer:
            for difference, why in layer.apply(paths, move=not self.live, force=force):
                yield _change(difference), why

    def discard(self, paths: Sequence[str] = ()) -> Iterator[Change]:
        """Drop changes; the whole layer goes with the last of them."""
        if self.live:
            raise StateError("the sandbox runs, and its layer is in use", hint="aisbx destroy --discard ends it first")
        with self._held():
            if not paths:
                with suppress(StateError):  # its workspace is gone: there is nothing to tell then
                    yield from self.changes()
                drop(str(self._place))
                return
            with self._opened() as layer:
                yield from map(_change, layer.discard(paths))
                stuck = next(layer.differences(paths), None)
                left = layer.pending()
        if stuck is not None and below(str(self._place)):
            raise StateError(f"{stuck.path} is as a snapshot has it", hint="discard all, or fork another snapshot")
        if stuck is not None:
            parent = stuck.path.rpartition("/")[0]
            raise StateError(f"{stuck.path} went with a directory that was made anew", hint=f"discard all of {parent}")
        if not left:
            drop(str(self._place))

    def finish(self) -> list[str]:
        """Apply what a guarded workspace applies, and drop a layer that holds nothing more."""
        if self.live:
            raise StateError("the sandbox runs, and its layer is in use", hint="aisbx destroy ends it")
        with self._held():
            try:
                return finish(str(self._place), self._name)
            except GoneError as error:
                raise StateError(str(error), hint="it was applied or discarded meanwhile") from error
            except OSError as error:
                told = f"{self.workspace}: {error.strerror}" if error.strerror else str(error)
                raise StateError(told, hint="its changes are kept") from error

    @contextmanager
    def _opened(self) -> Generator[Layer]:
        try:
            layer = Layer(str(self._place))
        except GoneError as error:
            raise StateError(str(error), hint="it was applied or discarded meanwhile") from error
        except OSError as error:
            hint = "a review needs the workspace where it was"
            told = f"{self.workspace}: {error.strerror}" if error.strerror else str(error)
            raise StateError(told, hint=hint) from error
        try:
            yield layer
        finally:
            layer.close()

    @contextmanager
    def _held(self) -> Generator[None]:
        """Keep the layer from other processes: the launcher of a run has it until the run's end."""
        descriptor = os.open(self._place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise StateError("its run goes on, or another process applies it", hint="try again later") from None
        finally:
            os.close(descriptor)


def _held(place: Path) -> bool:
    """Tell whether the launcher of a run still has its layer."""
    descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def find(home: Path) -> OverlayLayers | None:
    """Give the layer of a sandbox that lasts, or of a run; None where there is none."""
    if changing(str(home)):
        try:
            ask("recover", str(home))
        except RefusedError as error:
            raise StateError(str(error), hint="try again") from None
    try:
        sized.bring(home / "layer")
    except OSError as error:
        raise StateError(f"{home}/layer cannot be mounted: {error}", hint="see: dmesg, losetup") from None
    for place in (home / "layer", home):
        if (place / "about").exists():
            return OverlayLayers(place, home)
    return None


def _change(difference: Difference) -> Change:
    was, now = difference.was, difference.now
    return Change(
        path=difference.path,
        action=difference.action,
        kind=difference.kind,
        was_kind=kind_of(was) if was else "",
        mode=now.st_mode & _PERMISSIONS if now else 0,
        was_mode=was.st_mode & _PERMISSIONS if was else 0,
        size=now.st_size if now else 0,
        was_size=was.st_size if was else 0,
        protected=difference.protected,
        conflict=difference.conflict,
    )


def _read(root: int, path: str, limit: int) -> bytes | None:
    parent, _, name = path.rpartition("/")
    with suppress(OSError):
        above = open_beneath(root, parent)
        try:
            status = os.stat(name, dir_fd=above, follow_symlinks=False)
            if kind_of(status) == "link":
                return os.fsencode(os.readlink(name, dir_fd=above))
            if kind_of(status) != "file" or status.st_size > limit:
                return None
            with open(os.open(name, OPEN_FILE, dir_fd=above), "rb") as stream:
                data = stream.read(limit + 1)
                return data if len(data) <= limit else None
        finally:
            os.close(above)
    return None
