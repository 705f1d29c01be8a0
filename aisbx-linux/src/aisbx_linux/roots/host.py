"""The host's own runtime as a tar stream: what a sandbox is shown of it, as far as this user may read it."""

import os
import stat
import tarfile
import threading
from collections.abc import Iterator

from aisbx_linux.local.etc import SHARED
from aisbx_linux.local.runtime import TOP

SPARE = ("/usr/share/doc", "/usr/share/info", "/usr/share/man", "/usr/share/locale", "/usr/src")
"""What no program needs to run."""


class HostStream:
    """Writes the stream by a thread."""

    def __init__(self, top: str = "") -> None:
        """Take the runtime below `top`, which is the host's root where it is empty."""
        self._top = top
        self._problem = ""
        self._thread: threading.Thread | None = None

    def start(self, target: int) -> None:
        """Begin to write to a descriptor, which is closed at the end."""
        self._thread = threading.Thread(target=self._write, args=(target,), daemon=True)
        self._thread.start()

    def finish(self) -> str:
        """Say what kept it from being whole, once its reader has ended; "" for nothing."""
        if self._thread is not None:
            self._thread.join()
        return self._problem

    def stop(self) -> None:
        """Wait for the thread, which has nothing left to write to."""
        self.finish()

    def _write(self, target: int) -> None:
        try:
            with (
                open(target, "wb") as stream,
                tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as archive,
            ):
                for path in _paths(self._top):
                    self._add(archive, path)
        except BrokenPipeError:
            pass  # its reader tells why
        except OSError as error:
            self._problem = f"{error.filename or 'the runtime'}: {error.strerror or error}"

    def _add(self, archive: tarfile.TarFile, path: str) -> None:
        try:
            found = os.lstat(self._top + path)
            if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode) or stat.S_ISLNK(found.st_mode)):
                return
            if not stat.S_ISREG(found.st_mode):
                archive.addfile(archive.gettarinfo(self._top + path, path.lstrip("/")))
                return
            source = open(self._top + path, "rb")  # noqa: SIM115 - only its opening may fail
        except (PermissionError, FileNotFoundError):
            return  # closed to us, or gone: then a sandbox does without, as it does with the host's own
        with source:
            # Only of what could be opened: another name of it is a link to this one.
            archive.addfile(archive.gettarinfo(arcname=path.lstrip("/"), fileobj=source), source)
        archive.members = []  # type: ignore[attr-defined]


def _paths(top: str) -> Iterator[str]:
    for path in ("/usr", *TOP, *SHARED):
        if os.path.lexists(top + path):
            yield from _walk(top, path)


def _walk(top: str, path: str) -> Iterator[str]:
    yield path
    if not os.path.isdir(top + path) or os.path.islink(top + path) or path in SPARE:
        return
    try:
        names = sorted(os.listdir(top + path))
    except OSError:
        return
    for name in names:
        yield from _walk(top, f"{path}/{name}")
