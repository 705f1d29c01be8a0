"""What a supervisor's sandbox changed in its workspace, and what was kept of it."""

import base64
from collections.abc import Iterator, Sequence
from contextlib import nullcontext

from aisbx.engine.review import below
from aisbx.remote import told
from aisbx.remote.server import NO_LETTER, Server, path_of, there
from aisbx.snapshots import Snapshot
from aisbx.store import Record
from aisbx.types import Change, Principal


class RemoteReview:
    """In place of `aisbx.engine.review.Review`."""

    def __init__(self, server: Server) -> None:
        """Ask nothing yet."""
        self._server = server

    def runs(self) -> list[str]:
        """Give none: a supervisor keeps no changes of runs."""
        return []

    def layers(self, name: str) -> "RemoteLayers":
        """Give the layer of a sandbox; an AisbxError where there is none."""
        return RemoteLayers(self._server, name)

    def apply(
        self, name: str, paths: Sequence[str], _principal: Principal, _host: str, *, force: bool = False
    ) -> Iterator[tuple[Change, str]]:
        """Take changes over into the workspace; gives each, with the reason where it is left."""
        body = {"paths": list(paths), "force": force}
        with there():
            answer = self._server.post(f"{path_of('sandboxes', name)}/changes/apply", body)
        for row in (*answer["done"], *answer["left"]):
            yield told.change(row), row["left"] or ""

    def discard(self, name: str, paths: Sequence[str], _principal: Principal, _host: str) -> Iterator[Change]:
        """Drop changes of a sandbox that has ended; gives each."""
        with there():
            answer = self._server.post(f"{path_of('sandboxes', name)}/changes/discard", {"paths": list(paths)})
        yield from map(told.change, answer["changes"])


class RemoteLayers:
    """In place of a driver's `aisbx.types.Layers`, to look at."""

    def __init__(self, server: Server, name: str) -> None:
        """See where its workspace is."""
        self._server = server
        self._place = f"{path_of('sandboxes', name)}/changes"
        with there():
            self.workspace: str = server.get(path_of("sandboxes", name))["workspace"]

    def changes(self, paths: Sequence[str] = ()) -> Iterator[Change]:
        """Give what differs from the workspace, all or at and below these paths in it."""
        found = below(self.workspace, paths)
        yield from map(told.change, self._server.get(self._place, path=found or None)["changes"])

    def contents(self, change: Change, limit: int) -> tuple[bytes | None, bytes | None]:
        """Give a file in the workspace and in the layer; None for no file and for more than `limit` bytes."""
        if NO_LETTER in change.path:
            return None, None  # it cannot be asked for by a name that is no UTF-8
        answer = self._server.get(f"{self._place}/contents", path=change.path, limit=limit)
        before, after = (
            base64.b64decode(answer[key]) if answer[key] is not None else None for key in ("before", "after")
        )
        return before, after


class RemoteSnapshots:
    """In place of `aisbx.engine.snapshots.Snapshots`."""

    def __init__(self, server: Server) -> None:
        """Ask nothing yet."""
        self._server = server

    def create(self, name: str, _principal: Principal, _host: str, tag: str = "") -> Snapshot:
        """Keep what its workspace holds now."""
        with there():
            return told.snapshot(self._server.post(_place(name), {"tag": tag or None}))

    def all(self, name: str) -> list[Snapshot]:
        """Give them, the oldest first."""
        with there():
            return [told.snapshot(row) for row in self._server.get(_place(name))["snapshots"]]

    def remove(self, name: str, tag: str, _principal: Principal, _host: str) -> None:
        """Remove one."""
        self._server.delete(f"{_place(name)}/{path_of(tag)}")

    def restore(self, name: str, tag: str, _principal: Principal, _host: str) -> None:
        """Have the workspace hold what it did then."""
        self._server.post(f"{_place(name)}/{path_of(tag)}/restore", {})

    def fork(
        self, name: str, new: str, _principal: Principal, _host: str, *, tag: str = "", ttl: float = 0.0
    ) -> Record:
        """Make another sandbox from it; gives its record."""
        body = {"name": new or None, "tag": tag or None, "ttl": ttl or None}
        with there() if not tag else nullcontext():
            found = told.record(self._server.post(f"{path_of('sandboxes', name)}/fork", body))
        assert found is not None  # noqa: S101 - one that was just made is finished
        return found


def _place(name: str) -> str:
    return f"{path_of('sandboxes', name)}/snapshots"
