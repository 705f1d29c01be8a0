"""The guest's code as one archive: it is always that of this installation, whatever the image was built with."""

import hashlib
import importlib.util
import io
import os
import tarfile
from collections.abc import Iterator

from aisbx_driver_lima.errors import unavailable

_WHOLE = ("aisbx.types", "aisbx_linux", "aisbx_driver_lima.guest")
_FILES = ("aisbx.errors", "pyseccomp")
_PACKAGES = ("aisbx", "aisbx_driver_lima")
"""What those lie in. In the guest they are empty: the real ones import what it does not have."""


def bundle() -> tuple[str, bytes]:
    """Give the digest of the code and the archive; DriverUnavailableError where a part is not installed."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in sorted(_contents()):
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o644
            archive.addfile(info, io.BytesIO(content))
    data = stream.getvalue()
    return hashlib.sha256(data).hexdigest()[:16], data


def _contents() -> Iterator[tuple[str, bytes]]:
    for package in _PACKAGES:
        yield f"{package}/__init__.py", b""
    for name in _WHOLE:
        place = _place(name)
        base = os.path.dirname(place)
        for above, folders, files in os.walk(base):
            folders[:] = sorted(each for each in folders if each != "__pycache__")
            for each in sorted(files):
                path = os.path.join(above, each)
                inner = os.path.relpath(path, base).replace(os.sep, "/")
                yield f"{name.replace('.', '/')}/{inner}", _read(path)
    for name in _FILES:
        yield f"{name.replace('.', '/')}.py", _read(_place(name))


def _place(name: str) -> str:
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise unavailable(f"the Python package {name} is not installed, which the guest needs", f"pip install {name}")
    return found.origin


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
