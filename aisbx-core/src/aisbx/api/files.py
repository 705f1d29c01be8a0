"""The files of a sandbox, for a program."""

import os
from collections.abc import Callable, Sequence

from aisbx.engine.inside import Inside
from aisbx.errors import UsageError
from aisbx.types import FileRow, Watch

READ = 64 << 20
COPY = 4 << 30


class SandboxFiles:
    """What is in a sandbox, seen as its user sees it: no path leads out, and what is read-only inside is so here.

    A path that is not absolute is below the workspace. What can't be done is a StateError: that the sandbox has ended
    or is paused as well.
    """

    def __init__(self, inside: Callable[[], Inside], workspace: str | None) -> None:
        """Look at nothing yet."""
        self._inside = inside
        self._workspace = workspace

    def read(self, path: str, *, offset: int = 0, limit: int = READ) -> bytes:
        """Give at most `limit` bytes of a file, from `offset` on; `stat` tells how many there are."""
        if offset < 0 or limit < 0:
            raise UsageError("offset and limit are 0 at least")
        return self._inside().files.read(self._path(path), limit, offset)

    def read_text(self, path: str) -> str:
        """Give a file of at most 64 MiB as UTF-8; UsageError where it is longer, UnicodeDecodeError for other bytes."""
        data = self.read(path, limit=READ + 1)
        if len(data) > READ:
            raise UsageError(f"{path} has more than {READ} bytes", hint="use read, with offset and limit")
        return data.decode()

    def write(self, path: str, data: bytes | str, *, mode: int = 0o644) -> None:
        """Replace a file, whole or not at all; a link is replaced, not followed."""
        self._inside().files.write(self._path(path), data.encode() if isinstance(data, str) else data, mode)

    def list(self, path: str = ".") -> Sequence[FileRow]:
        """Give what is in a directory, by name."""
        return self._inside().files.list(self._path(path))

    def stat(self, path: str) -> FileRow:
        """Give what is at a path; a link at its end is not followed."""
        return self._inside().files.stat(self._path(path))

    def mkdir(self, path: str, *, parents: bool = False) -> None:
        """Make a directory; with `parents` also those above it, and one that is there already is no error."""
        self._inside().files.mkdir(self._path(path), parents=parents)

    def remove(self, path: str, *, recursive: bool = False) -> None:
        """Remove a file, a link (not what it points to) or an empty directory; with `recursive` also a full one."""
        self._inside().files.remove(self._path(path), recursive=recursive)

    def watch(self, path: str = ".") -> Watch:
        """Give what happens in a directory (not below it) from now on; `Watch.close` ends that."""
        return self._inside().files.watch(self._path(path))

    def upload(self, source: str | os.PathLike[str], path: str, *, limit: int = COPY) -> Sequence[str]:
        """Copy a file or a tree of the host in, at most `limit` bytes; gives a line for each thing left out."""
        return self._inside().files.push(os.fspath(source), self._path(path), limit)

    def download(self, path: str, target: str | os.PathLike[str], *, limit: int = COPY) -> Sequence[str]:
        """Copy a file or a tree out, at most `limit` bytes; gives a line for each thing left out."""
        return self._inside().files.pull(self._path(path), os.fspath(target), limit)

    def _path(self, path: str) -> str:
        if not path.startswith("/"):
            if self._workspace is None:
                raise UsageError(f"{path!r} is not absolute, and the sandbox has no workspace", hint="write /tmp/...")
            path = f"{self._workspace}/{path}" if path != "." else self._workspace
        return path
