"""What else can be done with a supervisor's sandbox: its files, its processes, pause."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from aisbx.engine.found import PAUSED
from aisbx.errors import AisbxError, StateError, UsageError
from aisbx.remote import told
from aisbx.remote.server import NO_LETTER, Server, is_text, path_of, query_of
from aisbx.types import FileRow, Principal, ProcessRow, Watch

_Lines = list[str]
_KILL = 9
_WHOLE = 206
_TOO_MUCH = "there is more than may be copied at once: see --limit"
_PART = 8 << 20
COPY = 4 << 30


class RemoteInside:
    """In place of `aisbx.engine.inside.Inside`."""

    def __init__(self, server: Server, name: str) -> None:
        """Ask nothing yet."""
        self._server = server
        self._name = name
        self._place = path_of("sandboxes", name)
        self.files = RemoteFiles(server, self._place)

    @property
    def paused(self) -> bool:
        """Whether it is paused."""
        return self._server.get(self._place)["state"] == PAUSED

    def processes(self) -> Sequence[ProcessRow]:
        """Give what runs in it."""
        return [told.process(row) for row in self._server.get(f"{self._place}/ps")["processes"]]

    def signal(self, pid: int, number: int) -> None:
        """Send a signal to one process, by its number inside; StateError where there is none, or it is paused."""
        self._server.post(f"{self._place}/ps/{pid}/signal", {"signal": number})

    def refuse_paused(self, number: int) -> None:
        """Refuse a signal that a paused sandbox could not act on; StateError."""
        if number != _KILL and self.paused:
            raise StateError(f"the sandbox {self._name} is paused", hint=f"aisbx resume {self._name}, or -s KILL")

    def pause(self, _principal: Principal, _host: str) -> None:
        """Stop every process where it stands."""
        self._server.post(f"{self._place}/pause", {})

    def resume(self, _principal: Principal, _host: str) -> None:
        """Let them go on."""
        self._server.post(f"{self._place}/resume", {})


class RemoteFiles:
    """In place of a driver's `aisbx.types.Files`."""

    def __init__(self, server: Server, place: str) -> None:
        """Ask nothing yet."""
        self._server = server
        self._place = f"{place}/files"

    def read(self, path: str, limit: int, offset: int = 0) -> bytes:
        """Give at most `limit` bytes of a file, from `offset` on."""
        if not limit:
            self.stat(path)
            return b""
        headers = {"Range": f"bytes={offset}-{offset + limit - 1}"}
        try:
            connection, response = self._server.begin("GET", f"{self._place}?{_at(path)}", None, headers)
        except AisbxError as error:
            if error.code == "usage" and offset >= self.stat(path).size:
                return b""  # there are no such bytes
            raise
        try:
            if response.status == _WHOLE:
                return response.read()
            return response.read(offset + limit)[offset:]
        finally:
            connection.close()

    def write(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """Replace a file atomically; a link is replaced, not followed."""
        self._put(path, data, mode)

    def list(self, path: str) -> Sequence[FileRow]:
        """Give what is in a directory, by name."""
        return [told.file(row) for row in self._server.get(f"{self._place}/list", path=path)["files"]]

    def stat(self, path: str) -> FileRow:
        """Give what is at a path; a link at its end is not followed."""
        return told.file(self._server.get(f"{self._place}/stat", path=path))

    def mkdir(self, path: str, *, parents: bool = False) -> None:
        """Make a directory; with `parents` also those above it, and one that is there already is no error."""
        self._server.post(f"{self._place}/directories", {"path": path, "parents": parents})

    def remove(self, path: str, *, recursive: bool = False) -> None:
        """Remove a file, a link or an empty directory; with `recursive` also a full one."""
        self._server.delete(self._place, path=path, recursive=recursive)

    def watch(self, path: str) -> Watch:
        """UsageError: a supervisor tells of no such events."""
        raise UsageError(f"{path} cannot be watched over a supervisor", hint="look at it with list")

    def pull(self, path: str, target: str, limit: int = COPY) -> Sequence[str]:
        """Copy a file or a tree to a place here, at most `limit` bytes; gives a line for what was left out.

        Links and what is no file are left out. StateError where there is more.
        """
        found = self.stat(path)
        if os.path.isdir(target):
            target = os.path.join(target, os.path.basename(path.rstrip("/")))
        left: list[str] = []
        self._pull(path, found, target, limit, left)
        return left

    def _pull(self, path: str, found: FileRow, target: str, room: int, left: "_Lines") -> int:
        if found.kind == "directory":
            if os.path.islink(target):
                raise StateError(f"{target} is a link", hint="nothing is copied through one; name another place")
            os.makedirs(target, exist_ok=True)
            for one in self.list(path):
                if NO_LETTER in one.name:
                    left.append(f"{path}/{one.name}: its name is no UTF-8")
                    continue
                if one.name in {"", ".", ".."} or "/" in one.name:
                    raise StateError(f"{path} is told to hold {one.name!r}", hint="this is no supervisor to trust")
                room = self._pull(f"{path}/{one.name}", one, f"{target}/{one.name}", room, left)
            os.chmod(target, found.mode & 0o777)
            return room
        if found.kind != "file":
            left.append(f"{path}: {found.kind}")
            return room
        if found.size > room:
            raise StateError(_TOO_MUCH)
        # What is at the target may be a link to elsewhere: it is replaced.
        Path(target).unlink(missing_ok=True)
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, found.mode & 0o777)
        with os.fdopen(descriptor, "wb") as file:
            done = 0
            while done < found.size and (data := self.read(path, min(_PART, found.size - done), done)):
                file.write(data)
                done += len(data)
        return room - done

    def push(self, source: str, path: str, limit: int = COPY) -> Sequence[str]:
        """Copy a file or a tree of this machine in, at most `limit` bytes; gives a line for what was left out.

        Links and what is no file are left out.
        """
        if self._is_directory(path):
            path = f"{path.rstrip('/')}/{os.path.basename(os.path.abspath(source))}"
        left: list[str] = []
        if not os.path.lexists(source):
            raise StateError(f"{source}: No such file or directory", hint="name one that is there")
        self._push(source, path, limit, left)
        return left

    def _push(self, source: str, path: str, room: int, left: "_Lines") -> int:
        if not is_text(source):
            left.append(f"{source}: its name is no UTF-8")
            return room
        if os.path.islink(source) or not (os.path.isfile(source) or os.path.isdir(source)):
            left.append(f"{source}: {'link' if os.path.islink(source) else 'other'}")
            return room
        if os.path.isdir(source):
            self.mkdir(path, parents=True)
            for name in sorted(os.listdir(source)):
                room = self._push(f"{source}/{name}", f"{path}/{name}", room, left)
            return room
        size = os.path.getsize(source)
        if size > room:
            raise StateError(_TOO_MUCH)
        with open(source, "rb") as file:
            self._put(path, file, os.stat(source).st_mode & 0o777, size)
        return room - size

    def _put(self, path: str, data: bytes | BinaryIO, mode: int, size: int | None = None) -> None:
        headers = {"Content-Length": str(size)} if size is not None else {}
        connection, _ = self._server.begin("PUT", f"{self._place}?{_at(path)}&mode={mode:03o}", data, headers)
        connection.close()

    def _is_directory(self, path: str) -> bool:
        try:
            return self.stat(path).kind == "directory"
        except StateError:
            return False


def _at(path: str) -> str:
    return query_of({"path": path})
