"""Keep a made-up directory on disk under the name of its content, so that showing it costs one mount."""

import hashlib
import os
from pathlib import Path

from aisbx.errors import StateError

from aisbx_linux.local.etc import Content


def materialise(content: Content, parent: Path) -> Path:
    """Give a directory with exactly this content below `parent`, a private directory (0700) of the caller's.

    It is made beside and renamed, so nobody ever sees half of it. StateError if it can't be made.
    """
    place = parent / _digest(content)
    if place.is_dir() and not place.is_symlink():
        return place
    import shutil  # both only where there is something to make
    import tempfile

    try:
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        making = Path(tempfile.mkdtemp(dir=parent))
        try:
            _write(content, making)
            making.chmod(0o755)
            making.rename(place)
        except OSError:
            shutil.rmtree(making)
            if not place.is_dir():  # else another run was first
                raise
    except OSError as error:
        raise StateError(
            f"{parent}: /etc of the sandbox cannot be made: {error.strerror}", hint="see its disk and mode"
        ) from error
    return place


def _digest(content: Content) -> str:
    """Give a name for the content: every part goes in with its kind and length, so that no two contents look alike."""
    digest = hashlib.sha256()
    for name, what in sorted(content.items()):
        kind, data = ("link", os.fsencode(what)) if isinstance(what, str) else ("file", what or b"")
        kind = "folder" if what is None else kind
        key = os.fsencode(name)
        digest.update(b"%s %d %d:" % (kind.encode(), len(key), len(data)))
        digest.update(key)
        digest.update(data)
    return digest.hexdigest()[:32]


def _write(content: Content, root: Path) -> None:
    for name, what in content.items():
        path = root / name
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        if what is None:
            path.mkdir(mode=0o755, exist_ok=True)
        elif isinstance(what, str):
            path.symlink_to(what)
        else:
            path.write_bytes(what)
            path.chmod(0o644)
    for folder, _, _ in os.walk(root):
        Path(folder).chmod(0o755)
