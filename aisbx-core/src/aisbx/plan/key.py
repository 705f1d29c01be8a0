"""Which entry belongs to a run, and whether what it was made from is still the same. Builtin modules only."""

import posix
import sys

from _blake2 import blake2b  # pyright: ignore[reportMissingModuleSource]  (hashlib costs a millisecond)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Signature = tuple[int, int, int, int, int, int]

FORMAT = 2
"""Version of the entries; raise it whenever their layout or meaning changes."""


def name_of(options: "Mapping[str, Sequence[str]]", cwd: str) -> str:
    """Give the file name for these options (raw strings, without `env`) in this directory, for this user and kernel."""
    chosen = sorted((name, list(values)) for name, values in options.items() if name != "env" and values)
    kernel = posix.uname()
    material = (FORMAT, sys.version, posix.geteuid(), posix.getuid(), posix.getegid(), kernel.release, kernel.machine, cwd, chosen)
    return blake2b(repr(material).encode(errors="surrogateescape"), digest_size=20).hexdigest()


def environment_digest(environ: "Mapping[bytes, bytes]", names: "Iterable[str]", prefixes: "Iterable[str]") -> bytes:
    """Digest the named variables and all that begin with a prefix: values may be secret, so they are not kept."""
    starts = tuple(prefix.encode() for prefix in prefixes)
    rows = [(name, environ.get(name.encode())) for name in sorted(names)]
    rows += sorted((name.decode(errors="replace"), value) for name, value in environ.items() if name.startswith(starts))
    return blake2b(repr(rows).encode(), digest_size=20).digest()


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
