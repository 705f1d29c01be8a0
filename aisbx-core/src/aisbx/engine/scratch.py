"""A cache for one look: what a preview makes in it, or a driver tries there, is gone afterwards."""

import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar, cast

from aisbx.paths import ensure_private

_T = TypeVar("_T")


@contextmanager
def scratch(cache: Path) -> Generator[str]:
    """Give the real path of an empty private directory (0700), removed at the end with all that is in it.

    It lies in `cache`, or in the nearest directory above that is there, since what can be done is a matter of the
    file system. StateError where it cannot be made.
    """
    above = next((place for place in (cache, *cache.parents) if place.exists()), cache)
    place = ensure_private(Path(os.path.realpath(above)) / f".aisbx-look-{os.urandom(8).hex()}")
    try:
        yield str(place)
    finally:
        shutil.rmtree(place)


def renamed(value: _T, scratch: str, usual: str) -> _T:
    """Give data with the paths in a scratch directory as they are in the directory that it stood for."""
    found: object = value
    match found:
        case str():
            inside = found == scratch or found.startswith(f"{scratch}/")
            return cast("_T", usual + found.removeprefix(scratch)) if inside else value
        case list() | tuple():
            items = cast("list[object] | tuple[object, ...]", found)
            return cast("_T", type(found)(renamed(item, scratch, usual) for item in items))  # type: ignore[call-arg]
        case dict():
            pairs = cast("dict[object, object]", found).items()
            return cast("_T", {key: renamed(item, scratch, usual) for key, item in pairs})
        case _:
            return value
