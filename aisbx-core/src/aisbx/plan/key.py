"""Which entry belongs to a run, and whether what it was made from is still the same. Builtin modules only."""

import posix
import sys
from _imp import source_hash

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from aisbx.types import Source

    Signature = tuple[int, int, int, int, int, int]

FORMAT = 4
"""Version of the entries; raise it whenever their layout or meaning changes."""


def digest(data: bytes) -> bytes:
    """Give 16 bytes that tell contents apart (SipHash-1-3 twice; builtin, where `hashlib` costs a millisecond).

    Nobody who could search for a collision gains by one: options, directory and environment are the user's own.
    """
    return source_hash(1, data) + source_hash(2, data)


def name_of(options: "Mapping[str, Sequence[str]]", cwd: str) -> str:
    """Give the file name for these options (raw strings, without `env`) in this directory, for this user and kernel."""
    chosen = sorted((name, list(values)) for name, values in options.items() if name != "env" and values)
    kernel = posix.uname()
    material = (
        FORMAT,
        sys.version,
        posix.geteuid(),
        posix.getuid(),
        posix.getegid(),
        kernel.release,
        kernel.machine,
        cwd,
        chosen,
    )
    return digest(repr(material).encode(errors="surrogateescape")).hex()


def environment_digest(environ: "Mapping[bytes, bytes]", names: "Iterable[str]", prefixes: "Iterable[str]") -> bytes:
    """Digest the named variables and all that begin with a prefix: values may be secret, so they are not kept."""
    starts = tuple(prefix.encode() for prefix in prefixes)
    rows = [(name, environ.get(name.encode())) for name in sorted(names)]
    rows += sorted((name.decode(errors="replace"), value) for name, value in environ.items() if name.startswith(starts))
    return digest(repr(rows).encode())


def unchanged(paths: "Iterable[tuple[str, Signature | None, bool]]") -> bool:
    """Tell whether each path still has the (dev, ino, mode, mtime, ctime, size) that it had, or is still absent."""
    stat, lstat = posix.stat, posix.lstat
    for path, signature, nofollow in paths:
        try:
            now = lstat(path) if nofollow else stat(path)
        except (OSError, ValueError):
            if signature is None:
                continue
            return False
        if signature != (now.st_dev, now.st_ino, now.st_mode, now.st_mtime_ns, now.st_ctime_ns, now.st_size):
            return False
    return True


def in_place(sources: "Iterable[Source]") -> bool:
    """Tell whether each source is still the same directory or file; what is in it may change."""
    for source in sources:
        try:
            now = posix.stat(source["path"])
        except OSError:
            return False
        if source["identity"] not in (None, (now.st_dev, now.st_ino)):
            return False
    return True
