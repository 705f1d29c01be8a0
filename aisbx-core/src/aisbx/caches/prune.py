"""Removes caches, and never one that a sandbox has at that moment."""

import os
import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aisbx.caches.inventory import Cache
from aisbx.caches.kept import FOLDER
from aisbx.caches.owner import forget_owners
from aisbx.caches.tree import remove
from aisbx.caches.use import in_use
from aisbx.errors import StateError
from aisbx.paths import ensure_private

PRUNED = "pruned"
"""Where a cache is moved before it is removed: no run that begins after that finds it."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Which caches go; what is None does not count, and without any rule those go that no run can have again."""

    projects: frozenset[str] = frozenset()
    """Only the caches of projects at these real paths; none: everybody's."""
    everything: bool = False
    unused: float | None = None
    """Those not used for so many seconds."""
    keep: int | None = None
    """The longest unused, until the others take so many bytes at most; first those that no run can have again."""

    def choose(self, caches: Sequence[Cache], now: float) -> list[Cache]:
        """Give the caches to be removed, those in use among them only where the rule would take them otherwise."""
        within = [c for c in caches if not self.projects or (c.owner and c.owner.workspace in self.projects)]
        if self.everything or (self.projects and self.unused is None and self.keep is None):
            return within
        if self.unused is None and self.keep is None:
            return [cache for cache in within if cache.gone]
        chosen = [c for c in within if self.unused is not None and now - c.last_used >= self.unused]
        if self.keep is not None:
            left = sorted((c for c in within if c not in chosen), key=lambda c: (not c.gone, c.last_used))
            total = sum(cache.size.bytes for cache in left)
            for cache in left:
                if total <= self.keep:
                    break
                if not cache.in_use:
                    total -= cache.size.bytes
                    chosen.append(cache)
        return chosen


@dataclass(frozen=True, slots=True)
class Pruned:
    """What came of it; caches in use stay."""

    removed: tuple[Cache, ...]
    in_use: tuple[Cache, ...]


def prune(root: Path, caches: Sequence[Cache]) -> Pruned:
    """Remove these caches from aisbx's cache directory `root`, and what an earlier prune that was ended has left.

    StateError for what cannot be removed; all before it is gone then.
    """
    ensure_private(root)
    aside = ensure_private(root / PRUNED)
    stay = [cache for cache in caches if cache.in_use]  # not even for a moment without its name
    with _alone(aside):
        moved = dict(_moved((cache for cache in caches if not cache.in_use), aside))
        try:
            busy = in_use(aside)
        except StateError:
            _put_back(aside, moved)
            raise
        held = {name: cache for name, cache in moved.items() if name in busy}
        _put_back(aside, held)
        for name in sorted(set(os.listdir(aside)) - busy):
            _remove(aside / name)
        forget_owners(root, root / FOLDER)
    removed = tuple(cache for name, cache in moved.items() if name not in held)
    return Pruned(removed, (*stay, *held.values()))


def _moved(caches: Iterable[Cache], aside: Path) -> Iterator[tuple[str, Cache]]:
    """Move caches aside, each under a name that no other has had, and give those names."""
    for cache in caches:
        name = f"{cache.path.name}.{time.time_ns()}"
        try:
            os.rename(cache.path, aside / name)
        except FileNotFoundError:
            continue  # somebody else has removed it
        except OSError as error:
            raise StateError(f"{cache.path} cannot be moved: {error.strerror}") from error
        yield name, cache


def _put_back(aside: Path, caches: Mapping[str, Cache]) -> None:
    """Give caches their places again, but where a run has made a new one since: then a later prune ends the old."""
    for name, cache in caches.items():
        try:
            os.rename(aside / name, cache.path)
        except OSError as error:
            if not os.path.lexists(cache.path):
                message = f"{aside / name} cannot be moved back to {cache.path}: {error.strerror}"
                raise StateError(message, hint="move it") from error


def _remove(path: Path) -> None:
    try:
        if path.is_symlink() or not path.is_dir():
            path.unlink()
        else:
            remove(str(path))
    except OSError as error:
        raise StateError(f"{path} cannot be removed: {error.strerror}", hint="remove it yourself") from error


@contextmanager
def _alone(folder: Path) -> Generator[None]:
    """Let one process at a time prune: what it has moved aside must not be taken for what another has left."""
    try:
        import fcntl
    except ImportError:  # Windows: no sandbox of this machine keeps a cache there
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
