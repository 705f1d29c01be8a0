"""Append to the audit log: one line for each run, under a lock, to a file of ours alone. Builtin modules only."""

import sys
import time

from aisbx.audit.jsontext import dumps, quote

if sys.platform == "win32":  # there is no `posix`, and no hot path that `os` could slow down
    import os as posix
else:
    import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aisbx.types import LaunchResult

VERSION = 1
RESERVE = "audit.reserve"
"""The name of the reserve, beside the log."""
_HERE_ONLY = 0 if sys.platform == "win32" else posix.O_NOFOLLOW | posix.O_CLOEXEC | posix.O_NONBLOCK
_FLAGS = posix.O_WRONLY | posix.O_APPEND | posix.O_CREAT | _HERE_ONLY
_REGULAR, _FORMAT, _FOR_OTHERS = 0o100000, 0o170000, 0o077


class AuditError(Exception):
    """The log can't be written safely; a run without a record must not be."""


def open_log(path: str) -> int:
    """Open the log for appending, made with mode 0600; AuditError if it is a link, another's, or open to others."""
    try:
        descriptor = posix.open(path, _FLAGS, 0o600)
    except OSError as error:
        msg = f"{path}: {error.strerror}"
        raise AuditError(msg) from None
    status = posix.fstat(descriptor)
    ours = sys.platform == "win32" or (status.st_uid == posix.geteuid() and not status.st_mode & _FOR_OTHERS)
    if status.st_mode & _FORMAT != _REGULAR or not ours:
        posix.close(descriptor)
        msg = f"{path}: it is not a file of yours alone"
        raise AuditError(msg)
    return descriptor


def append(descriptor: int, line: str, reserve: str = "") -> None:
    """Write one record, whole, under an exclusive lock; the line has no line feed.

    Where the disk is full, the space of `reserve` (see `aisbx.audit.reserve`) is given to it. OSError where that is
    not enough; then nothing of the record is left.
    """
    data = line.encode("ascii") + b"\n"
    if sys.platform == "win32":
        write_all(descriptor, data, reserve)  # appending is atomic enough there: one write, one record
        return
    import fcntl

    fcntl.flock(descriptor, fcntl.LOCK_EX)
    size = posix.fstat(descriptor).st_size
    try:
        write_all(descriptor, data, reserve)
    except OSError:
        posix.ftruncate(descriptor, size)  # half a record would spoil the next one as well
        raise
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def append_once(path: str, line: str, reserve: str = "") -> None:
    """Write one record that needs no log held open before; AuditError or OSError where it can't be."""
    descriptor = open_log(path)
    try:
        append(descriptor, line, reserve)
    finally:
        posix.close(descriptor)


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
    who = f'"kind":{quote(kind)},"run":{quote(run)},"principal":{quote(principal)},"host":{quote(host)}'
    return f'{{"v":{VERSION},"time":{round(time.time(), 6)},{who},"argv":{dumps(argv)}'


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
