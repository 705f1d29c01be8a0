"""What a resolution looked at, so that a cached plan can tell whether it would come out the same again.

Whatever reads the file system or the environment on the way from a request to a spec takes an `Inputs` and
notes a thing *before* it reads it: a change between the note and the read then shows as stale, never as fresh.
"""

import os
import stat
from collections.abc import Iterable, Mapping

Signature = tuple[int, int, int, int, int, int]
"""(st_dev, st_ino, st_mode, st_mtime_ns, st_ctime_ns, st_size); the change time can't be set by a program."""
Noted = tuple[str, Signature | None, bool]
"""(path, what was there or None for absent, whether the last component's link is not followed)."""


def signature(path: str, *, nofollow: bool) -> Signature | None:
    """Give what identifies the present state of a path, or None where there is nothing that we may look at."""
    try:
        found = os.lstat(path) if nofollow else os.stat(path)
    except (OSError, ValueError):
        return None
    return (found.st_dev, found.st_ino, found.st_mode, found.st_mtime_ns, found.st_ctime_ns, found.st_size)


class Inputs:
    """A recorder: `paths` and `prefixes`, `environ` are compared with the present when a plan is to be used again.

    `environ` holds variables and their values (None: not set); `prefixes` all variables that begin alike.
    """

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        """Record against `environ` (the process's own by default)."""
        self._source: Mapping[str, str] = os.environ if environ is None else environ
        self._seen: set[tuple[str, bool]] = set()
        self.paths: list[Noted] = []
        self.environ: dict[str, str | None] = {}
        self.prefixes: dict[str, dict[str, str]] = {}

    def copy(self) -> "Inputs":
        """Give another recorder that has noted the same so far."""
        copied = Inputs(self._source)
        copied.adopt(self.paths)
        copied.environ.update(self.environ)
        copied.prefixes.update(self.prefixes)
        return copied

    def bind(self, environ: Mapping[str, str]) -> "Inputs":
        """Take variables from `environ` from now on; what is recorded stays."""
        self._source = environ
        return self

    def note(self, path: str | os.PathLike[str]) -> None:
        """Note the state or the absence of a path: what it leads to, and if it is a link, the link as well."""
        name = os.fspath(path)
        if (name, False) in self._seen:
            return
        itself = signature(name, nofollow=True)
        if itself is None or stat.S_ISLNK(itself[2]):
            # An absent path is noted without following: a link that appears there is a change, dangling or not.
            self._add(name, itself, nofollow=True)
        if itself is not None:
            self._add(name, signature(name, nofollow=False), nofollow=False)

    def note_link(self, path: str | os.PathLike[str]) -> None:
        """Note a link but not what it leads to: directories change whenever something is made in them."""
        name = os.fspath(path)
        self._add(name, signature(name, nofollow=True), nofollow=True)

    def adopt(self, paths: Iterable[Noted]) -> None:
        """Note what another recorder did."""
        for path, found, nofollow in paths:
            self._add(path, found, nofollow=nofollow)

    def note_env(self, name: str) -> None:
        """Note that a variable's value, or that it is not set, made a difference."""
        self.environ.setdefault(name, self._source.get(name))

    def env(self, name: str) -> str | None:
        """Note a variable and give its value; None where it is not set."""
        self.note_env(name)
        return self.environ[name]

    def env_prefix(self, prefix: str) -> dict[str, str]:
        """Note and give every variable whose name begins with `prefix`, so that a new one is a change too."""
        if prefix not in self.prefixes:
            self.prefixes[prefix] = {key: value for key, value in self._source.items() if key.startswith(prefix)}
        return dict(self.prefixes[prefix])

    def _add(self, path: str, found: Signature | None, *, nofollow: bool) -> None:
        # The first note is the one that was taken before the first read.
        if (path, nofollow) not in self._seen:
            self._seen.add((path, nofollow))
            self.paths.append((path, found, nofollow))
