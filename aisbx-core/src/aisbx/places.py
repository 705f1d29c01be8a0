"""Directories of the host that are never handed to a sandbox as a whole: homes, the system's, our own."""

import os
from collections.abc import Iterator

from aisbx.inputs import Inputs
from aisbx.paths import home, own_dirs

# The Filesystem Hierarchy Standard 3.0 (and macOS) directories where nothing is anybody's project,
# at any depth: what lies there is run, trusted or served by the host.
_SYSTEM = (
    *("/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/lost+found", "/proc", "/run", "/sbin"),
    *("/snap", "/sys", "/usr", "/var", "/gnu", "/nix", "/efi"),
    *("/Applications", "/Library", "/System", "/Network", "/cores", "/private/etc", "/private/var"),
)

# People do work below these, as in many container images' /usr/src/app.
_WORK = ("/usr/src", "/usr/local/src", "/var/tmp", "/var/www", "/private/var/tmp", "/private/var/folders")

# Shared places: a directory in them may be a project, they themselves are not.
_SHARED = ("/tmp", "/home", "/opt", "/srv", "/mnt", "/media", "/Users", "/Volumes", "/private/tmp")

# Directories of a home that hold keys and logins, and those that hold them among other things.
_SECRET = (".aws", ".azure", ".docker", ".gnupg", ".kube", ".mozilla", ".password-store", ".pki", ".ssh")
_MIXED = (".cache", ".config", ".local", "Library")


def within(path: str, root: str) -> bool:
    """Tell whether `path` is the directory `root` or below it; both are absolute and normalised."""
    return path == root or path.startswith(root.rstrip("/") + "/")


def forbidden(path: str, inputs: Inputs, *, toolchain: bool = False) -> str:
    """Say why a real path may not be shown to a sandbox as a whole, or give "" where it may.

    A `toolchain` (shown read-only, and checked to be one) may lie in ~/.local or ~/.cache, where uv and
    poetry keep theirs; a workspace may not.
    """
    if path == os.path.abspath(os.sep):
        return "is the root of the file system"
    return _of_homes(path, inputs, toolchain=toolchain) or _of_ours(path, inputs) or _of_system(path, inputs)


def never(path: str) -> bool:
    """Tell whether a real path is, or contains, the root or an account's home, which HOME has no say in."""
    return any(within(one, path) for one in ("/", *_accounts()))


def _of_homes(path: str, inputs: Inputs, *, toolchain: bool) -> str:
    for one in sorted(set(_homes(inputs))):
        if path == one:
            return "is a home directory"
        if within(one, path):
            return f"contains the home directory {one}"
        for name in (*_SECRET, *_MIXED):
            if within(path, f"{one}/{name}") and not (toolchain and name in _MIXED and path != f"{one}/{name}"):
                return f"lies in {one}/{name}, where keys and logins are kept"
    return ""


def _of_ours(path: str, inputs: Inputs) -> str:
    for own in own_dirs(inputs):
        if within(own, path):
            return f"contains aisbx's own {own}"
        if within(path, own):
            return f"lies in aisbx's own {own}"
    return ""


def _of_system(path: str, inputs: Inputs) -> str:
    if path in _SHARED:
        return "is shared with all other users and programs"
    mine = os.path.realpath(home(inputs))
    for root in _SYSTEM:
        if within(path, root) and not _is_work(path, mine):
            return "is the system's" if path == root else f"lies in the system's {root}"
    return ""


def _is_work(path: str, mine: str) -> bool:
    """Tell whether a path in a system directory lies strictly below a place for work, or below the user's home there.

    Fedora Silverblue keeps homes in /var/home; service accounts have theirs in /var/lib.
    """
    roots = (*_WORK, mine) if mine.startswith(("/var/", "/private/var/")) else _WORK
    return any(path != root and within(path, root) for root in roots)


def _homes(inputs: Inputs) -> Iterator[str]:
    """Give the real path of every account's home and of $HOME, but not those that are no directory at all."""
    yield os.path.realpath(home(inputs))
    inputs.note("/etc/passwd")
    yield from _accounts()


def _accounts() -> Iterator[str]:
    try:
        import pwd
    except ImportError:  # Windows
        return
    for entry in pwd.getpwall():
        # System accounts have `/nonexistent` or a directory of the system's such as /bin, which is refused as that;
        # `/` as a home would make everything "somebody's home".
        real = os.path.realpath(entry.pw_dir)
        if entry.pw_dir.startswith("/") and real != "/" and os.path.isdir(real) and not _is_system(real):
            yield real


def _is_system(path: str) -> bool:
    return any(within(path, root) for root in _SYSTEM if root not in {"/var", "/private/var"})
