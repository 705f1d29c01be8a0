"""Append to the audit log: one line for each run, chained to the one before, in a file of ours alone."""

import sys
import time

from aisbx.audit.chain import HEAD_SIZE, KEY_SIZE, extend, pack, pads, unpack
from aisbx.audit.jsontext import dumps, quote

if sys.platform == "win32":  # there is no `posix`, and no hot path that `os` could slow down
    import os as posix
else:
    import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aisbx.audit.chain import Head
    from aisbx.types import AuditPlace, LaunchResult

VERSION = 1
RESERVE = "audit.reserve"
"""The name of the reserve, beside the log."""
LONG = 1 << 14
"""Characters of a command line as it is written from which on its words are bounded."""
HEAD = ".head"
"""What the head's name has beyond the log's."""
_HERE_ONLY = (
    getattr(posix, "O_BINARY", 0) if sys.platform == "win32" else posix.O_NOFOLLOW | posix.O_CLOEXEC | posix.O_NONBLOCK
)
_FLAGS = posix.O_RDWR | posix.O_APPEND | posix.O_CREAT | _HERE_ONLY
_READ_WRITE = posix.O_RDWR | posix.O_CREAT | _HERE_ONLY
_READ = posix.O_RDONLY | _HERE_ONLY
_REGULAR, _FORMAT, _FOR_OTHERS = 0o100000, 0o170000, 0o077


class AuditError(Exception):
    """The log can't be written safely; a run without a record must not be."""


class ExportError(OSError):
    """A record was written, and the head that tells of it could not be exported."""


class Log:
    """The log as a writer has it open: the present file, the head, which is what is locked, and the key."""

    __slots__ = ("file", "head", "key", "place")

    def __init__(self, place: "AuditPlace") -> None:
        """Open it; see `open_log`."""
        self.place = place
        self.file = self.head = -1
        try:
            self.file = own_file(place["path"], _FLAGS)
            self.head = own_file(place["path"] + HEAD, _READ_WRITE)
            key = read_key(place["key"])
            if not key or posix.fstat(self.head).st_size != HEAD_SIZE:
                from aisbx.audit.begin import begin

                key = begin(self)
            if place["export"]:
                from aisbx.audit.export import ready

                ready(place["export"])
        except AuditError:
            self.close()
            raise
        except OSError as error:
            self.close()
            msg = f"{error.filename or place['path']}: {error.strerror}"
            raise AuditError(msg) from None
        self.key = pads(key)

    def close(self) -> None:
        """Close what is open."""
        for descriptor in (self.file, self.head):
            if descriptor >= 0:
                posix.close(descriptor)
        self.file = self.head = -1

    def reopen(self) -> None:
        """Take the file that has the log's name now; AuditError or OSError where it cannot be used."""
        file = own_file(self.place["path"], _FLAGS)
        posix.close(self.file)
        self.file = file

    def read_head(self) -> bytes:
        """Give the head's text."""
        posix.lseek(self.head, 0, 0)
        return posix.read(self.head, HEAD_SIZE + 1)

    def write_head(self, head: "Head") -> None:
        """Overwrite the head; it is shorter than a page, so a writer that is killed leaves the old one or the new."""
        posix.lseek(self.head, 0, 0)
        write_all(self.head, pack(self.key, head))


def open_log(place: "AuditPlace") -> Log:
    """Open the log for appending, made with mode 0600; AuditError if it is a link, another's, or open to others.

    The same holds for its head and its key, which are made where there are none.
    """
    return Log(place)


def own_file(path: str, flags: int) -> int:
    """Open a file of ours alone; AuditError where it is not, OSError where it cannot be opened."""
    descriptor = posix.open(path, flags, 0o600)
    status = posix.fstat(descriptor)
    ours = sys.platform == "win32" or (status.st_uid == posix.geteuid() and not status.st_mode & _FOR_OTHERS)
    if status.st_mode & _FORMAT != _REGULAR or not ours:
        posix.close(descriptor)
        msg = f"{path}: it is not a file of yours alone"
        raise AuditError(msg)
    return descriptor


def read_key(path: str) -> bytes:
    """Give the key, nothing where there is none; AuditError where others could know it."""
    try:
        descriptor = own_file(path, _READ)
    except FileNotFoundError:
        return b""
    key = posix.read(descriptor, KEY_SIZE + 1)
    posix.close(descriptor)
    if len(key) != KEY_SIZE:
        msg = f"{path}: it is no key of {KEY_SIZE} bytes; move it away"
        raise AuditError(msg)
    return key


def lock(log: Log) -> None:
    """Wait until nobody else writes. Closing the head lets go too, so whoever is killed holds nobody up."""
    if sys.platform == "win32":
        import msvcrt

        posix.lseek(log.head, HEAD_SIZE * 2, 0)  # a byte that nobody reads: a lock there keeps readers out
        msvcrt.locking(log.head, msvcrt.LK_LOCK, 1)
        return
    import fcntl

    fcntl.flock(log.head, fcntl.LOCK_EX)


def unlock(log: Log) -> None:
    """Let others write."""
    if sys.platform == "win32":
        import msvcrt

        posix.lseek(log.head, HEAD_SIZE * 2, 0)
        msvcrt.locking(log.head, msvcrt.LK_UNLCK, 1)
        return
    import fcntl

    fcntl.flock(log.head, fcntl.LOCK_UN)


def append(log: Log, line: str, reserve: str = "") -> "Head":
    """Write one record, a JSON object without a line feed, whole, as the next of the chain; gives the chain's head.

    Where the disk is full, the space of `reserve` (see `aisbx.audit.reserve`) is given to it. OSError where that is
    not enough; then nothing of the record is left. ExportError where it was written and its head could not be exported.
    """
    lock(log)
    try:
        head = _append(log, line, reserve)
    finally:
        unlock(log)
    if log.place["export"]:
        from aisbx.audit.export import export

        export(log.place, head)
    return head


def _append(log: Log, line: str, reserve: str) -> "Head":
    path = log.place["path"]
    try:
        named = posix.stat(path).st_ino
    except FileNotFoundError:
        named = -1
    status = posix.fstat(log.file)
    if named != status.st_ino:  # another writer has begun a new file
        log.reopen()
        status = posix.fstat(log.file)
    torn, head = 0, unpack(log.key, log.read_head())
    if head is None or head[1] != status.st_size:
        from aisbx.audit.mend import mend

        head, torn = mend(log, head)
    size = posix.fstat(log.file).st_size if torn else status.st_size
    # The first record of all says how much stood before the chain, so that nothing can be put there later.
    data, mac = extend(log.key, head, line, torn if head[0] else size)
    head = (head[0] + 1, size + len(data), *head[2:5], mac)
    try:
        write_all(log.file, data, reserve)
        log.write_head(head)
    except OSError:
        posix.ftruncate(log.file, size)  # half a record would spoil the next one as well
        raise
    if head[1] >= log.place["limit"]:
        from aisbx.audit.rotate import rotate

        rotate(log, head)
    return head


def append_once(place: "AuditPlace", line: str, reserve: str = "") -> "Head":
    """Write one record that needs no log held open before, see `append`; AuditError or OSError where it can't be."""
    log = open_log(place)
    try:
        return append(log, line, reserve)
    finally:
        log.close()


def write_all(descriptor: int, data: bytes, reserve: str = "") -> None:
    """Write all of `data`, however many calls that takes; where there is no room, `reserve` is given up for it."""
    written = 0
    while written < len(data):
        try:
            written += posix.write(descriptor, data[written:])
        except OSError:
            if reserve:
                reserve = _give_up(reserve)
                continue
            raise


def _give_up(reserve: str) -> str:
    try:  # noqa: SIM105 - contextlib is one import more
        posix.truncate(reserve, 0)
    except OSError:
        pass  # there is none: the next attempt to write tells what is wrong
    return ""


def start(kind: str, run: str, principal: str, host: str, argv: "list[str]") -> str:
    """Give the beginning of a record: who and what, at the present time."""
    return f'{{"v":{VERSION},"time":{round(time.time(), 6)},{members(kind, run, principal, host, argv)}'


def members(kind: str, run: str, principal: str, host: str, argv: "list[str]") -> str:
    """Give who and what of a record, as JSON members."""
    who = f'"kind":"{kind}","run":"{run}","principal":{quote(principal)},"host":"{host}"'
    told = f"[{','.join(map(quote, argv))}]"
    if len(told) > LONG:
        from aisbx.audit.words import bounded

        told = dumps(bounded(argv))
    return f'{who},"argv":{told}'


def ending(result: "LaunchResult") -> str:
    """Give the end of a record: what came of a run, or the error that kept it from running."""
    dropped = result["stdout_dropped"] + result["stderr_dropped"]
    told = f',"error":{dumps(_error(*result["failure"]))}' if result["failure"] is not None else ""
    return (
        f'"exit_code":{result["code"]},"signal":{result["signal"] or "null"},"timed_out":{dumps(result["timed_out"])},'
        f'"oom_killed":{dumps(result["oom_killed"])},"pids_limited":{dumps(result["pids_limited"])},'
        f'"duration":{round(result["duration"], 6)},"usage":{{"user_seconds":{round(result["user_seconds"], 6)},'
        f'"system_seconds":{round(result["system_seconds"], 6)},"max_rss_bytes":{result["max_rss_bytes"]}}},'
        f'"output":{{"stdout_bytes":{result["stdout_bytes"]},"stderr_bytes":{result["stderr_bytes"]},'
        f'"dropped":{dropped}}},"findings":{dumps(result["findings"])}{told}}}'
    )


def _error(code: str, message: str, hint: str) -> "dict[str, str]":
    return {"code": code, "message": message, "hint": hint}


def refusal(code: str, message: str, hint: str, exit_code: int) -> str:
    """Give the end of a record of a run that was refused."""
    return f'"exit_code":{exit_code},"error":{dumps(_error(code, message, hint))}}}'


def prune(directory: str, keep: int) -> None:
    """Keep the newest output logs, about `keep` of them; looks only now and then."""
    try:
        names = posix.listdir(directory)
    except OSError:
        return  # the run has ended; that its output was not kept has been said
    if len(names) <= keep + 16:
        return
    aged: list[tuple[int, str]] = []
    for name in names:
        try:
            aged.append((posix.lstat(f"{directory}/{name}").st_mtime_ns, name))
        except FileNotFoundError:
            continue  # another run has just removed it
    for _, name in sorted(aged)[: max(0, len(aged) - keep)]:
        try:
            posix.unlink(f"{directory}/{name}")
        except FileNotFoundError:
            continue
