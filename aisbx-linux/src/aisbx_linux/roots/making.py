"""Make a directory whole or not at all, one process at a time, and remove what one that was killed left half made."""

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from aisbx.errors import StateError

MANIFEST = ".aisbx-rootfs.json"
"""In a root directory: what it was made from. No sandbox is shown it."""
_FORMAT = 1
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def made_from(place: Path) -> str | None:
    """Say what a root directory was made from; None where there is none, or it is empty. StateError for another."""
    try:
        if not os.listdir(place):
            return None
        told: Any = json.loads((place / MANIFEST).read_bytes()[: 1 << 16])
        return str(told["from"])
    except FileNotFoundError:
        if not os.path.lexists(place):
            return None
        raise StateError(f"{place} is not empty, and not made by aisbx", hint="name another directory") from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise StateError(f"{place} cannot be used: {error}", hint="name another directory") from error


@contextmanager
def making(place: Path, origin: str, told: Callable[[str], None]) -> Generator[Path]:
    """Give a private directory whose `root` becomes `place` once this is left without an exception.

    StateError where another process makes the same, or what is beside `place` cannot be written.
    """
    beside = place.parent / f".{place.name}.making"
    try:
        lock = _lock(beside)
    except BlockingIOError:
        raise StateError(f"{place} is being made by another process", hint="wait until it is there") from None
    except OSError as error:
        raise StateError(f"{beside} cannot be made: {error.strerror}", hint="make the directory above it") from error
    try:
        if os.listdir(beside):
            told("removing what was left half made")
            empty(beside)
        root = beside / "root"
        root.mkdir(mode=0o755)
        yield beside
        (root / MANIFEST).write_text(json.dumps({"format": _FORMAT, "from": origin}) + "\n")
        root.rename(place)
    except OSError as error:
        raise StateError(f"{place} cannot be made: {error.strerror or error}", hint="see its disk and mode") from error
    finally:
        with suppress(OSError):
            empty(beside)
            beside.rmdir()
        os.close(lock)


def _lock(beside: Path) -> int:
    """Have the directory for this process alone, made where it is not there; BlockingIOError where another has it."""
    while True:
        beside.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(beside, _FOLDER)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            found = os.stat(beside, follow_symlinks=False)
        except FileNotFoundError:
            os.close(descriptor)  # its maker removed it meanwhile
            continue
        except OSError:
            os.close(descriptor)
            raise
        held = os.fstat(descriptor)
        if (held.st_dev, held.st_ino) == (found.st_dev, found.st_ino):
            if held.st_uid != os.geteuid():
                os.close(descriptor)
                raise PermissionError(1, "it belongs to another user", str(beside))
            return descriptor
        os.close(descriptor)


def empty(folder: Path) -> None:
    """Remove all that is in a private directory, whatever the modes of what is below; OSError where that can't be."""
    if os.geteuid() != 0:  # who is kept from nothing by modes, and must not be led elsewhere by a link
        for place, names, _ in os.walk(folder):
            for name in names:
                if not os.path.islink(path := os.path.join(place, name)):
                    os.chmod(path, 0o700)
    with os.scandir(folder) as found:
        for each in found:
            if each.is_dir(follow_symlinks=False):
                shutil.rmtree(each.path)
            else:
                os.unlink(each.path)
