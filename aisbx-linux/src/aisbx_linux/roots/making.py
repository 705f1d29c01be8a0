"""Make a directory whole or not at all, one process at a time, and remove what one that was killed left half made."""

import fcntl
import json
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from aisbx.errors import StateError

from aisbx_linux.layer.remove import empty

MANIFEST = ".aisbx-rootfs.json"
"""In a root directory: what it was made from. No sandbox is shown it."""
_FORMAT = 1
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


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

    StateError as of `beside`.
    """
    with beside(place, told) as private:
        root = private / "root"
        root.mkdir(mode=0o755)
        yield private
        _sign(root, origin)
        root.rename(place)


@contextmanager
def beside(place: Path, told: Callable[[str], None]) -> Generator[Path]:
    """Give an empty directory beside `place`, for this process alone; in the end it is removed with what is in it.

    Directories above it that are missing are made, and removed again where nothing comes of it. What one that was
    killed left there is removed first. StateError where another process has it, or it cannot be written.
    """
    private = _beside(place)
    above = [each for each in private.parents if not os.path.lexists(each)]
    try:
        private.parent.mkdir(parents=True, exist_ok=True)
        lock = _lock(private)
    except BlockingIOError:
        raise StateError(f"{place} is being made by another process", hint="wait until it is there") from None
    except OSError as error:
        _drop(above)
        where = error.filename or private
        raise StateError(f"{where} cannot be made: {error.strerror}", hint="name another directory") from error
    try:
        if os.listdir(private):
            told("removing what was left half made")
            empty(lock)
        yield private
    except OSError as error:
        raise StateError(f"{place} cannot be made: {error.strerror or error}", hint="see its disk and mode") from error
    finally:
        with suppress(OSError):
            empty(lock)
            private.rmdir()
        os.close(lock)
        _drop(above)


def _drop(above: list[Path]) -> None:
    """Remove these directories, the innermost first, as far as they are empty."""
    with suppress(OSError):
        for each in above:
            each.rmdir()


def tidy(place: Path) -> None:
    """Remove what is left beside a directory that is whole, where its maker was killed before it could."""
    private = _beside(place)
    if os.path.lexists(private):
        with suppress(OSError):  # another has it: who removes it then
            lock = _lock(private)
            try:
                empty(lock)
                private.rmdir()
            finally:
                os.close(lock)


def _beside(place: Path) -> Path:
    return place.parent / f".{place.name}.making"


def _sign(root: Path, origin: str) -> None:
    """Write down what it was made from: what filled it may have put anything there, a link too."""
    with open(os.open(root / MANIFEST, _NEW, 0o644), "w", encoding="utf-8") as file:
        file.write(json.dumps({"format": _FORMAT, "from": origin}) + "\n")


def _lock(private: Path) -> int:
    """Have the directory for this process alone, made where it is not there; BlockingIOError where another has it."""
    while True:
        private.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(private, _FOLDER)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            found = os.stat(private, follow_symlinks=False)
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
                raise PermissionError(1, "it belongs to another user", str(private))
            return descriptor
        os.close(descriptor)
