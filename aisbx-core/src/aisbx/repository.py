"""What a repository says to aisbx: `aisbx.toml` and everything in `.aisbx/`, read once.

The same bytes are hashed, compared with what the user has trusted, and then parsed, so that nothing can change
in between. No link is followed; what is neither a plain file nor a directory is refused.
"""

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from aisbx.errors import TrustError
from aisbx.inputs import Inputs
from aisbx.paths import read_at_most

FILE = "aisbx.toml"
FOLDER = ".aisbx"
LARGEST = 4 << 20
"""Bytes of all files together."""
MOST = 1000
"""Files, links and directories together."""
DEEPEST = 16

_HINT = f"look at {FILE} and {FOLDER}/ in this project"
_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)


@dataclass(frozen=True, slots=True)
class RepositoryInput:
    """`files` maps paths relative to `directory` to their bytes; `sha256` covers names, kinds, modes and contents."""

    directory: str
    files: dict[str, bytes]
    sha256: str


def read(directory: str, inputs: Inputs) -> RepositoryInput | None:
    """Read what the repository in `directory` (a real path) says; None where it says nothing.

    TrustError for what cannot be covered by a hash: links in place of the two names, devices, too much of it.
    """
    reader = _Reader(directory, inputs)
    for name in (FILE, FOLDER):
        reader.take(name, 0)
    if not reader.seen:
        return None
    return RepositoryInput(directory, reader.files, reader.digest.hexdigest())


class _Reader:
    """One walk; every entry goes into the digest with its length, so that no two trees give the same stream."""

    def __init__(self, directory: str, inputs: Inputs) -> None:
        self.directory = directory
        self.inputs = inputs
        self.files: dict[str, bytes] = {}
        self.digest = hashlib.sha256(b"aisbx repository input 1\n")
        self.seen = 0
        self.left = LARGEST

    def take(self, name: str, depth: int) -> None:
        path = os.path.join(self.directory, name)
        self.inputs.note(path)
        try:
            found = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise TrustError(f"{path} cannot be read: {error.strerror}", hint=_HINT) from error
        self.seen += 1
        if self.seen > MOST or depth > DEEPEST:
            raise TrustError(f"{FOLDER}/ has more than {MOST} entries or {DEEPEST} levels", hint=_HINT)
        if stat.S_ISREG(found.st_mode):
            data = self._read(path)
            self.files[name] = data
            self._record("file", name, found.st_mode, data)
        elif stat.S_ISDIR(found.st_mode) and name != FILE:
            self._record("directory", name, found.st_mode, b"")
            for entry in self._list(path):
                self.take(f"{name}/{entry}", depth + 1)
        elif stat.S_ISLNK(found.st_mode) and depth:
            # A link inside the folder is part of the hash as text; nothing ever reads through it.
            self._record("link", name, 0, os.fsencode(os.readlink(path)))
        else:
            raise TrustError(f"{path} is not a plain {'file' if name == FILE else 'file or directory'}", hint=_HINT)

    def _read(self, path: str) -> bytes:
        try:
            descriptor = os.open(path, _FLAGS)
        except OSError as error:
            raise TrustError(f"{path} cannot be read: {_reason(error)}", hint=_HINT) from error
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):  # swapped since lstat
                raise TrustError(f"{path} is not a plain file", hint=_HINT)
            data = read_at_most(descriptor, self.left + 1)
        finally:
            os.close(descriptor)
        self.left -= len(data)
        if self.left < 0:
            raise TrustError(f"{FILE} and {FOLDER}/ are larger than {LARGEST} bytes", hint=_HINT)
        return data

    def _list(self, path: str) -> Iterator[str]:
        try:
            with os.scandir(path) as entries:
                names = [entry.name for _, entry in zip(range(MOST + 1), entries, strict=False)]
        except OSError as error:
            raise TrustError(f"{path} cannot be read: {_reason(error)}", hint=_HINT) from error
        yield from sorted(names)

    def _record(self, kind: str, name: str, mode: int, data: bytes) -> None:
        for part in (kind.encode(), os.fsencode(name), b"%o" % stat.S_IMODE(mode), data):
            self.digest.update(b"%d:" % len(part))
            self.digest.update(part)


def _reason(error: OSError) -> str:
    return "it is a link" if error.errno == errno.ELOOP else error.strerror or str(error)
