"""What a sandbox may be able to do beside running commands, each a protocol of its own; one that it lacks is None."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from aisbx.types.review import Change


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRow:
    """What is at a path: name, `file`, `directory`, `link` or `other`, mode bits, bytes, seconds since the epoch."""

    name: str
    kind: str
    mode: int
    size: int
    changed: float


@dataclass(frozen=True, slots=True)
class FileEvent:
    """Something that happened in a directory.

    `changed`, `attributes`, `created`, `deleted`, `moved-from` or `moved-to` with a name, `lost` where there was more
    than could be told, `gone` where the directory is.
    """

    kind: str
    name: str


class Watch(Iterator[FileEvent], Protocol):
    """What happens in a directory, as it happens."""

    def close(self) -> None:
        """Watch no longer, whoever waits for the next event then has none; may be called twice, from any thread."""
        ...


class Files(Protocol):
    """The sandbox's files, always under its root, no link followed out of it. StateError says what can't be done."""

    def read(self, path: str, limit: int, offset: int = 0) -> bytes:
        """Give at most `limit` bytes of a file, from `offset` on."""
        ...

    def write(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """Replace a file atomically; a link is replaced, not followed."""
        ...

    def list(self, path: str) -> Sequence[FileRow]:
        """Give what is in a directory, by name."""
        ...

    def stat(self, path: str) -> FileRow:
        """Give what is at a path; a link at its end is not followed."""
        ...

    def mkdir(self, path: str, *, parents: bool = False) -> None:
        """Make a directory; with `parents` also those above it, and one that is there already is no error."""
        ...

    def remove(self, path: str, *, recursive: bool = False) -> None:
        """Remove a file, a link (not what it points to) or an empty directory; with `recursive` also a full one."""
        ...

    def watch(self, path: str) -> "Watch":
        """Give what happens in a directory (not below it) from the call on, until it is gone or `Watch.close`."""
        ...

    def pull(self, path: str, target: str, limit: int = ...) -> Sequence[str]:
        """Copy a file or a tree to a place on the host, at most `limit` bytes; gives a line for what was left out."""
        ...

    def push(self, source: str, path: str, limit: int = ...) -> Sequence[str]:
        """Copy a file or a tree of the host in, at most `limit` bytes; gives a line for what was left out."""
        ...


class Layers(Protocol):
    """The copy-on-write layer over a workspace. StateError from any of these where it can't be read, or is in use."""

    workspace: str
    live: bool
    """Processes of the sandbox can still write to it."""

    def changes(self, paths: Sequence[str] = ()) -> Iterator[Change]:
        """Give what differs from the workspace, all or at and below these paths in it."""
        ...

    def contents(self, change: Change, limit: int) -> tuple[bytes | None, bytes | None]:
        """Give a file's content in the workspace and in the layer; None for no file and for more than `limit` bytes."""
        ...

    def apply(self, paths: Sequence[str] = (), *, force: bool = False) -> Iterator[tuple[Change, str]]:
        """Apply changes, each whole or not at all; gives each with "", or with why it stays in the layer.

        Never what is protected unless a path names it, and never over what was changed on the host, unless `force`
        says so for given paths.
        """
        ...

    def discard(self, paths: Sequence[str] = ()) -> Iterator[Change]:
        """Drop changes, all or at and below these paths; gives each. StateError while it is `live`."""
        ...

    def finish(self) -> Sequence[str]:
        """Do at the sandbox's end what the workspace's mode says, and drop a layer that holds nothing more.

        Gives a line for each change that was to be applied and stays in it.
        """
        ...


class Freezer(Protocol):
    """Pause and resume all processes. What is paused can be ended, and takes no command."""

    @property
    def mechanism(self) -> str:
        """By what it is done, for people."""
        ...

    @property
    def paused(self) -> bool:
        """Whether it is paused now."""
        ...

    def pause(self) -> None:
        """Stop every process where it stands; UsageError where it is paused. All or nothing."""
        ...

    def resume(self) -> None:
        """Let those go on that were stopped; UsageError where it is not paused."""
        ...
