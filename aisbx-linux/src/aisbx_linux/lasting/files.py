"""A sandbox's files from the host: each call is done by a process that has joined its mounts, see `reach.py`."""

import marshal
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Self, cast

from aisbx.errors import StateError
from aisbx.types import FileEvent, FileRow

from aisbx_linux.lasting import reach, trees, use
from aisbx_linux.lasting.pause import changing
from aisbx_linux.layer.ask import RefusedError, ask

Row = tuple[str, str, int, int, float]
LIMIT = 4 << 30
"""Bytes that one call copies unless it is told otherwise."""
_GONE = "the sandbox has ended, or what worked on its files was killed"


class Worker(subprocess.Popen[bytes]):
    """A process that works on files, and meanwhile uses the sandbox."""

    used = -1


class JoinedFiles:
    """The `Files` of a sandbox that lasts."""

    def __init__(self, home: str) -> None:
        """`home` is the sandbox's private directory."""
        self._home = home

    def read(self, path: str, limit: int, offset: int = 0) -> bytes:
        """Give at most `limit` bytes of a file, from `offset` on; StateError where it is none."""
        return cast("bytes", self._ask("read", path, limit, offset))

    def write(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """Replace a file atomically; a link is replaced, not followed."""
        self._ask("write", path, data, mode & 0o777)

    def list(self, path: str) -> Sequence[FileRow]:
        """Give what is in a directory, by name."""
        return [_row(row) for row in cast("list[Row]", self._ask("list", path))]

    def stat(self, path: str) -> FileRow:
        """Give what is at a path; a link at its end is not followed."""
        return _row(cast("Row", self._ask("stat", path)))

    def mkdir(self, path: str, *, parents: bool = False) -> None:
        """Make a directory; with `parents` also those above it, and one that is there already is no error."""
        self._ask("mkdir", path, parents)

    def remove(self, path: str, *, recursive: bool = False) -> None:
        """Remove a file, a link (not what it points to) or an empty directory; with `recursive` also a full one."""
        self._ask("remove", path, recursive)

    def pull(self, path: str, target: str, limit: int = LIMIT) -> Sequence[str]:
        """Copy a file or a tree out, to `target` or into it if that is a directory; gives what was left out."""
        bounds = trees.Bounds(limit)
        process = self.start("pull", path, limit)
        try:
            directory, name = place(target, os.path.basename(path.rstrip("/")))
            try:
                trees.receive(directory, name, _reader(process), bounds)
            finally:
                os.close(directory)
        except trees.TreeError as error:
            raise StateError(str(error), hint="see: aisbx cp --help") from None
        except OSError as error:
            raise StateError(f"{target}: {error.strerror or error}", hint="see whether there is room") from None
        finally:
            end(process)
        return bounds.notes

    def push(self, source: str, path: str, limit: int = LIMIT) -> Sequence[str]:
        """Copy a file or a tree in, to `path` or into it if that is a directory; gives what was left out."""
        source = source.rstrip("/") or "/"
        name = os.path.basename(os.path.abspath(source))
        bounds = trees.Bounds(limit)
        process = self.start("push", path, name, limit)
        try:
            directory = os.open(os.path.dirname(os.path.abspath(source)), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                trees.send(directory, os.fsencode(name), _writer(process), bounds)
            except trees.TreeError as error:
                trees.problem(_writer(process), str(error))
            finally:
                os.close(directory)
            if process.stdin is not None:
                process.stdin.close()
        except BrokenPipeError:
            pass  # the other end says why
        except OSError as error:
            end(process)
            raise StateError(f"{source}: {error.strerror or error}") from None
        return cast("list[str]", self._answer(process))

    def watch(self, path: str) -> "JoinedWatch":
        """Give what happens in a directory (not below it) from now on, until it is gone or the watch is closed."""
        process = self.start("watch", path)
        begun = _told(process)
        if not isinstance(begun, tuple):
            end(process)
            raise StateError(str(begun or "") or _GONE)
        return JoinedWatch(process)

    def _ask(self, work: str, *arguments: object) -> object:
        return self._answer(self.start(work, *arguments))

    def start(self, work: str, *arguments: object) -> Worker:
        """Start what does some work (see `reach`); its stdin and stdout are for whoever has it `end`."""
        if changing(self._home):
            try:
                ask("recover", self._home)
            except RefusedError as error:
                raise StateError(str(error), hint="try again") from None
        try:
            used = use.begin(self._home)
        except OSError as error:
            raise StateError(f"{error.filename}: {error.strerror}", hint="see where it lies") from error
        process = Worker(
            [sys.executable, "-I", "-S", reach.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            cwd="/",
        )
        process.used = used
        job = marshal.dumps((self._home, work, arguments))  # pyright: ignore[reportArgumentType]  (plain data)
        _writer(process)(len(job).to_bytes(4, "little") + job)
        return process

    @staticmethod
    def _answer(process: Worker) -> object:
        try:
            answer = _told(process)
        finally:
            end(process)
        if isinstance(answer, tuple):
            return cast("tuple[object]", answer)[0]
        raise StateError(str(answer or "") or _GONE)


class JoinedWatch:
    """A `Watch`: what a process inside tells."""

    def __init__(self, process: Worker) -> None:
        """`process` watches already."""
        self._process = process

    def __iter__(self) -> Self:
        """Give itself."""
        return self

    def __next__(self) -> FileEvent:
        """Wait for the next thing that happens."""
        try:
            event = _told(self._process)
        except ValueError:  # closed
            event = None
        if event is None:
            self.close()
            raise StopIteration
        return FileEvent(*cast("tuple[str, str]", event))

    def close(self) -> None:
        """Watch no longer; who waits meanwhile hears of no more."""
        self._process.kill()
        self._process.wait()  # then also who waits in another thread has come to the end
        end(self._process)

    def __del__(self) -> None:
        """Leave no process behind."""
        self.close()


def place(target: str, name: str) -> tuple[int, bytes]:
    """Give the directory that something is to be made in, open, and its name there."""
    above, last = os.path.split(target)
    if os.path.isdir(target) or not last:
        above, last = target, name
    return os.open(above or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), os.fsencode(last)


def _reader(process: Worker) -> Callable[[int], bytes]:
    def read(count: int) -> bytes:
        data = process.stdout.read(count) if process.stdout is not None else b""
        if len(data) < count:
            raise trees.TreeError(_GONE)
        return data

    return read


def _writer(process: Worker) -> Callable[[bytes], None]:
    def write(data: bytes) -> None:
        if process.stdin is not None:
            process.stdin.write(data)
            process.stdin.flush()

    return write


def _told(process: Worker) -> object:
    """Give the next thing that is told, None at the end."""
    if process.stdout is None:
        return None
    head = process.stdout.read(4)
    data = process.stdout.read(int.from_bytes(head, "little")) if len(head) == len(bytes(4)) else b""
    try:
        return marshal.loads(data)  # noqa: S302 - from the process that was started here
    except (EOFError, ValueError):
        return None


def end(process: Worker) -> None:
    """End what `start` gave, and note that the sandbox is used no longer."""
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            try:
                stream.close()
            except OSError:
                continue
    process.kill()
    process.wait()
    use.end(process.used)
    process.used = -1


def _row(row: Row) -> FileRow:
    name, kind, mode, size, changed = row
    return FileRow(name=name, kind=kind, mode=mode, size=size, changed=changed)
