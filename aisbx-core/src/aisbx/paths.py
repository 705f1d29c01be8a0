"""Where aisbx keeps its own files (XDG Base Directory Specification 0.8), and how they are made and read safely."""

import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from aisbx.errors import ConfigError, StateError
from aisbx.inputs import Inputs
from aisbx.ownership import weakness

APP = "aisbx"
_UNMAPPED = 65534
"""Whom a user namespace does not know: the real root, for one (user_namespaces(7))."""
LARGEST = 1 << 20
"""Bytes of a file of ours that is read in one piece; configuration is small."""


def config_dir(inputs: Inputs) -> Path:
    """Give `$XDG_CONFIG_HOME/aisbx`; ConfigError for a relative value. Nothing is made."""
    return _base(inputs, "XDG_CONFIG_HOME", ".config") / APP


def state_dir(inputs: Inputs) -> Path:
    """Give `$XDG_STATE_HOME/aisbx`; ConfigError for a relative value. Nothing is made."""
    return _base(inputs, "XDG_STATE_HOME", ".local", "state") / APP


def cache_dir(inputs: Inputs) -> Path:
    """Give `$XDG_CACHE_HOME/aisbx`; ConfigError for a relative value. Nothing is made."""
    return _base(inputs, "XDG_CACHE_HOME", ".cache") / APP


def own_dirs(inputs: Inputs) -> tuple[str, ...]:
    """Give the real paths of the three, which no sandbox may ever see."""
    return tuple(os.path.realpath(make(inputs)) for make in (config_dir, state_dir, cache_dir))


def home(inputs: Inputs) -> Path:
    """Give the user's home: `$HOME`, else the account's; ConfigError where neither is an absolute path."""
    named = inputs.env("HOME")
    if not named and hasattr(os, "geteuid"):
        import pwd

        try:
            named = pwd.getpwuid(os.geteuid()).pw_dir
        except KeyError:
            named = None
    named = named or inputs.env("USERPROFILE")
    if not named or not os.path.isabs(named):
        raise ConfigError("no home directory is known", key="HOME", hint="set HOME to an absolute path")
    return Path(named)


def ensure_private(path: Path) -> Path:
    """Make a directory of ours (0700) where it is missing and give it back.

    StateError if it is a link, is not a directory or belongs to somebody else, or would be made by root in what does,
    as under `sudo` with the caller's HOME: what is kept here carries authority.
    """
    try:
        if not os.path.lexists(path):
            _refuse_others(path)
            _make(path)
        found = os.lstat(path)
    except OSError as error:
        raise StateError(f"{path} cannot be made: {error.strerror}", hint="check HOME and XDG_*_HOME") from error
    if not stat.S_ISDIR(found.st_mode):
        raise StateError(f"{path} is not a directory of its own", hint="move it away")
    if hasattr(os, "geteuid"):
        if found.st_uid != os.geteuid():
            raise _not_yours(path, found.st_uid)
        if found.st_mode & 0o077:
            os.chmod(path, 0o700)
    return path


def read_own(path: Path, inputs: Inputs) -> bytes | None:
    """Note and read a file of the user's configuration; None where it does not exist.

    ConfigError if it is not a plain file, is too large, or others could have written it.
    """
    inputs.note(path)
    flags = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        hint = "see that it is yours to read, or correct HOME and XDG_CONFIG_HOME"
        raise ConfigError(f"cannot be read: {error.strerror}", file=str(path), hint=hint) from error
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise ConfigError("is not a plain file", file=str(path))
        if why := weakness(found):
            raise ConfigError(f"{why}, so it is not trusted", file=str(path), hint=f"chown it, or chmod go-w {path}")
        data = read_at_most(descriptor, LARGEST + 1)
    finally:
        os.close(descriptor)
    if len(data) > LARGEST:
        raise ConfigError(f"is larger than {LARGEST} bytes", file=str(path))
    return data


def read_at_most(descriptor: int, limit: int) -> bytes:
    """Read to the end of a file, but never more than `limit` bytes, however fast it grows."""
    parts: list[bytes] = []
    while limit and (part := os.read(descriptor, min(limit, 1 << 16))):
        parts.append(part)
        limit -= len(part)
    return b"".join(parts)


def write_own(path: Path, data: bytes) -> None:
    """Replace a file of ours atomically (0600), in a directory that `ensure_private` has made."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StateError(f"{path} cannot be written: {error.strerror}") from error


@contextmanager
def locked(file: Path) -> Generator[None]:
    """Let one process at a time read and replace what this file stands for (two changes at once must both count)."""
    try:
        import fcntl
    except ImportError:  # Windows: the replacement is still atomic, the later one wins
        yield
        return
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise StateError(f"{file} cannot be locked: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _base(inputs: Inputs, variable: str, *fallback: str) -> Path:
    named = inputs.env(variable)
    if not named:
        return home(inputs).joinpath(*fallback)
    if not os.path.isabs(named):
        # The specification calls a relative value invalid. Authority must not depend on the current directory.
        raise ConfigError(f"{named!r} is not an absolute path", key=variable, hint=f"unset {variable} or correct it")
    return Path(named)


def _refuse_others(path: Path) -> None:
    """Let root make nothing in another user's directory.

    A link there leads where that user wants, and what root makes is no longer its owner's to use. An ordinary user
    can't make anything there, or lends nobody any authority.
    """
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return
    for parent in (*reversed(path.parents), path):
        if os.path.lexists(parent) and (owner := os.lstat(parent).st_uid) not in {0, _UNMAPPED}:
            raise _not_yours(parent, owner)


def _not_yours(path: Path, owner: int) -> StateError:
    hint = "run as the directory's owner, or set HOME or XDG_*_HOME to your own"
    return StateError(f"{path} belongs to uid {owner}, not to you (uid {os.geteuid()})", hint=hint)


def _make(path: Path) -> None:
    for parent in (*reversed(path.parents), path):
        try:
            os.mkdir(parent, 0o700)
        except (FileExistsError, PermissionError, OSError):
            if not os.path.lexists(parent):
                raise
