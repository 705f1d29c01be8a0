"""`Files` of a sandbox in the guest. What comes from there is made below open directories, and follows no link."""

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Self

from aisbx.errors import AisbxError, StateError
from aisbx.types import FileEvent, FileRow
from aisbx_linux.lasting import trees
from aisbx_linux.lasting.files import LIMIT, place

from aisbx_driver_lima.asking import gone, value
from aisbx_driver_lima.guest import frames
from aisbx_driver_lima.guest.frames import Channel, ClosedError, TreeReader, TreeWriter
from aisbx_driver_lima.told import number

if TYPE_CHECKING:
    from aisbx_driver_lima.asking import Line

_KINDS = frozenset({"file", "directory", "link", "other"})
_EVENTS = frozenset(
    {"changed", "attributes", "created", "deleted", "moved-from", "moved-to", "lost", "gone"},
)
_SPARE = 1 << 20
"""Bytes that a tree takes beside those of its files."""


class GuestFiles:
    """The files of one sandbox, by its id."""

    def __init__(self, line: "Line", name: str, ask: Callable[..., Any]) -> None:
        """`ask` asks something of the sandbox, and gives the answer."""
        self._line = line
        self._name = name
        self._ask = ask

    def read(self, path: str, limit: int, offset: int = 0) -> bytes:
        """Give at most `limit` bytes of a file, from `offset` on; StateError where it is none."""
        channel = self._begin("read", path, limit, offset)
        try:
            value(channel)
            reader, data = TreeReader(channel, limit), b""
            while part := reader.read(frames.CHUNK):
                data += part
        except (ClosedError, ValueError) as error:
            raise gone(error) from error
        finally:
            channel.close()
        return data

    def write(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """Replace a file atomically; a link is replaced, not followed."""
        channel = self._begin("write", path, mode & 0o777)
        try:
            writer = TreeWriter(channel)
            writer.write(data)
            writer.end()
            value(channel)
        except ClosedError as error:
            raise gone(error) from error
        finally:
            channel.close()

    def list(self, path: str) -> Sequence[FileRow]:
        """Give what is in a directory, by name."""
        return [_row(row) for row in self._ask("list", path)]

    def stat(self, path: str) -> FileRow:
        """Give what is at a path; a link at its end is not followed."""
        return _row(self._ask("stat", path))

    def mkdir(self, path: str, *, parents: bool = False) -> None:
        """Make a directory; with `parents` also those above it, and one that is there already is no error."""
        self._ask("mkdir", path, parents)

    def remove(self, path: str, *, recursive: bool = False) -> None:
        """Remove a file, a link (not what it points to) or an empty directory; with `recursive` also a full one."""
        self._ask("remove", path, recursive)

    def pull(self, path: str, target: str, limit: int = LIMIT) -> Sequence[str]:
        """Copy a file or a tree out, to `target` or into it if that is a directory; gives what was left out."""
        bounds = trees.Bounds(limit)
        channel = self._begin("pull", path, limit)
        try:
            directory, name = place(target, os.path.basename(path.rstrip("/")))
            try:
                reader = TreeReader(channel, 2 * limit + _SPARE)
                trees.receive(directory, name, lambda count: _exactly(reader, count), bounds)
            finally:
                os.close(directory)
        except trees.TreeError as error:
            raise StateError(str(error), hint="see: aisbx cp --help") from None
        except (ClosedError, ValueError) as error:
            raise gone(error) from error
        except OSError as error:
            raise StateError(f"{target}: {error.strerror or error}", hint="see whether there is room") from None
        finally:
            channel.close()
        return bounds.notes

    def push(self, source: str, path: str, limit: int = LIMIT) -> Sequence[str]:
        """Copy a file or a tree in, to `path` or into it if that is a directory; gives what was left out."""
        source = source.rstrip("/") or "/"
        name = os.path.basename(os.path.abspath(source))
        channel = self._begin("push", path, name, limit)
        try:
            writer = TreeWriter(channel)
            directory = os.open(os.path.dirname(os.path.abspath(source)), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                trees.send(directory, os.fsencode(name), lambda data: _put(writer, data), trees.Bounds(limit))
            except trees.TreeError as error:
                trees.problem(lambda data: _put(writer, data), str(error))
            finally:
                os.close(directory)
            writer.end()
            return [str(line) for line in value(channel)]
        except (ClosedError, TypeError) as error:
            raise gone(error) from error
        except OSError as error:
            raise StateError(f"{source}: {error.strerror or error}", hint="see where it lies") from None
        finally:
            channel.close()

    def watch(self, path: str) -> "GuestWatch":
        """Give what happens in a directory (not below it) from now on, until it is gone or the watch is closed."""
        channel = self._begin("watch", path)
        try:
            value(channel)
        except BaseException as error:
            channel.close()
            if isinstance(error, ClosedError):
                raise gone(error) from error
            raise
        return GuestWatch(channel)

    def _begin(self, what: str, *arguments: object) -> Channel:
        return self._line.begin({"op": "ask", "id": self._name, "what": what, "arguments": arguments})


class GuestWatch:
    """A `Watch`: what the guest tells."""

    def __init__(self, channel: Channel) -> None:
        """Over this connection it watches already."""
        self._channel = channel

    def __iter__(self) -> Self:
        """Give itself."""
        return self

    def __next__(self) -> FileEvent:
        """Wait for the next thing that happens."""
        try:
            kind, name = value(self._channel)
        except (ClosedError, AisbxError, OSError, ValueError, TypeError):
            kind = name = ""
        if kind not in _EVENTS:
            self._channel.close()
            raise StopIteration
        return FileEvent(kind, str(name))

    def close(self) -> None:
        """Watch no longer; who waits meanwhile hears of no more."""
        self._channel.hang_up()

    def __del__(self) -> None:
        """Leave no connection behind."""
        self._channel.close()


def _row(row: Any) -> FileRow:  # noqa: ANN401 - JSON of the guest's
    try:
        name, kind, mode, size, changed = row
        found = FileRow(
            name=str(name),
            kind=str(kind),
            mode=int(number(mode)),
            size=int(number(size)),
            changed=float(number(changed)),
        )
    except (ValueError, TypeError) as error:
        raise gone(error) from error
    if found.kind not in _KINDS:
        raise gone(ValueError(f"a file of the kind {found.kind!r}"))
    return found


def _exactly(reader: TreeReader, count: int) -> bytes:
    data = reader.read(count)
    if len(data) < count:
        raise trees.TreeError("the sandbox has ended, or what worked on its files was killed")
    return data


def _put(writer: TreeWriter, data: bytes) -> None:
    writer.write(data)
