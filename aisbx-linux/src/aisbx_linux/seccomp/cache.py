"""Compiled filters on disk: compiling takes tens of milliseconds, reading one of these a fraction of one.

A filter is authority: who can write it decides what the sandbox may do. So the directory is ours alone, nothing is
reached through a link, and what does not carry its own digest is made again.
"""

import hashlib
import os
import pkgutil
import stat
from collections.abc import Collection
from contextlib import suppress

from aisbx.errors import StateError

from aisbx_linux.seccomp import bpf, library, table
from aisbx_linux.seccomp.compile import compile_filter
from aisbx_linux.seccomp.table import expand

_MAGIC = b"aisbx-seccomp-1\n"
_DIGEST_SIZE = hashlib.sha256().digest_size
_LARGEST = len(_MAGIC) + _DIGEST_SIZE + 8 * bpf.MAX_INSTRUCTIONS
# What decides how a filter looks, beside the table, the groups, the architecture and libseccomp.
_CODE = ("arguments.py", "verdict.py", "bpf.py", "library.py", "arrange.py", "compile.py")


def cached_filter(groups: Collection[str], cache_dir: str | os.PathLike[str]) -> bytes:
    """Give the filter of `compile_filter(groups)` for this machine, from `cache_dir` if it is there.

    The directory is made if need be, with mode 0700. A damaged file is replaced, never used. StateError if the
    directory is a link, another user's, or open to others. One that cannot be made or written costs speed, no more:
    the filter is then compiled each time. ConfigError and ControlError as from `compile_filter`.
    """
    path = os.fspath(cache_dir)
    name = f"{_key(groups)}.bpf"
    with suppress(OSError):
        os.makedirs(path, mode=0o700, exist_ok=True)
    if not os.path.lexists(path):
        return compile_filter(groups)
    directory = _open_directory(path)
    try:
        found = _read(directory, name)
        if found is None:
            found = compile_filter(groups)
            with suppress(OSError):
                _write(directory, name, found)
        return found
    finally:
        os.close(directory)


def _key(groups: Collection[str]) -> str:
    parts = [table.SOURCE, *(pkgutil.get_data("aisbx_linux.seccomp", name) or b"" for name in _CODE)]
    parts += [" ".join(sorted(expand(groups))).encode(), os.uname().machine.encode(), library.version().encode()]
    # A digest of digests, so that nothing can move from one part into the next.
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def _open_directory(path: str) -> int:
    try:
        directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise StateError(
            f"{path}: filters cannot be kept here: {error.strerror}",
            hint="it must be a directory of your own and no link to one: remove it, and it is made anew",
        ) from error
    status = os.fstat(directory)
    if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
        os.close(directory)
        raise StateError(
            f"{path}: filters cannot be kept here: owner {status.st_uid}, mode {stat.S_IMODE(status.st_mode):04o}",
            hint=f"it must belong to user {os.geteuid()} alone (mode 0700): remove it, and it is made anew",
        )
    return directory


def _read(directory: int, name: str) -> bytes | None:
    """Give the filter in the file, or None if it is missing, damaged, or could be written by others."""
    try:
        # Not blocking: were it a fifo, opening it would wait for a writer.
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    except OSError:
        return None
    try:
        status = os.fstat(file)
        ours = status.st_uid == os.geteuid() and not stat.S_IMODE(status.st_mode) & 0o077 and status.st_nlink == 1
        if not ours or not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST:
            return None
        content = os.read(file, _LARGEST)  # what comes short does not carry its digest
    finally:
        os.close(file)
    start = len(_MAGIC) + _DIGEST_SIZE
    digest, program = content[len(_MAGIC) : start], content[start:]
    if content[: len(_MAGIC)] != _MAGIC or hashlib.sha256(name.encode() + program).digest() != digest:
        return None
    return program


def _write(directory: int, name: str, program: bytes) -> None:
    """Put the file in place whole or not at all; what is there under this name, whatever it is, gives way."""
    temporary = f"{name}.{os.getpid()}.{os.urandom(4).hex()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    file = os.open(temporary, flags, 0o600, dir_fd=directory)
    try:
        with open(file, "wb") as opened:
            opened.write(_MAGIC + hashlib.sha256(name.encode() + program).digest() + program)
        os.replace(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    except OSError:
        with suppress(OSError):
            os.unlink(temporary, dir_fd=directory)
        raise
