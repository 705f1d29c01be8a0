"""Begin a chain: make the key and the head. Done once; when it has to be done again, the chain says so."""

import os

from aisbx.audit.chain import ANEW, FRESH, HEAD_SIZE, KEY_SIZE, Head, pads, unpack
from aisbx.audit.places import numbers
from aisbx.audit.write import AuditError, Log, lock, read_key, unlock


def begin(log: Log) -> bytes:
    """Give the key, made if there is none, and see that there is a head. AuditError or OSError where that can't be."""
    lock(log)
    try:
        path = log.place["key"]
        key, old = read_key(path), log.read_head()
        fresh = not key and not old
        key = key or _make_key(path)
        log.key = pads(key)
        if unpack(log.key, old) is None:
            start_anew(log, FRESH if fresh else ANEW)
    finally:
        unlock(log)
    return key


def start_anew(log: Log, base: str = ANEW) -> Head:
    """Begin a chain behind what the log has; the head is on the disk before any record counts on it."""
    files = numbers(log.place["path"])
    number = max(files, default=0) + 1
    head = (0, os.fstat(log.file).st_size, number, min(files, default=number), base, base)
    log.write_head(head)
    os.ftruncate(log.head, HEAD_SIZE)
    os.fsync(log.head)
    return head


def _make_key(path: str) -> bytes:
    """Make the key, whole or not at all, and never in place of another."""
    directory, name = os.path.split(path)
    _make_directory(directory)
    temporary = os.path.join(directory, f".{name}.{os.getpid()}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(temporary, flags, 0o600)
        try:
            os.write(descriptor, os.urandom(KEY_SIZE))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.link(temporary, path)
    except FileExistsError:
        pass  # another log's writer, with the same key, was first; or a dead one left the temporary
    finally:
        if os.path.lexists(temporary):
            os.unlink(temporary)
    if key := read_key(path):
        return key
    msg = f"{path}: it could not be made; try again"
    raise AuditError(msg)


def _make_directory(directory: str) -> None:
    """Make the directory of the configuration where there is none."""
    missing: list[str] = []
    while not os.path.lexists(directory):
        missing.append(directory)
        directory = os.path.dirname(directory)
    for each in reversed(missing):
        try:
            os.mkdir(each, 0o700)
        except FileExistsError:
            continue  # another run's first step too
