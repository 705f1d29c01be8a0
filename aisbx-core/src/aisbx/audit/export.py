"""The head, told to another place after each record: what was told there cannot be taken back here."""

import errno
import os
import stat
import time

from aisbx.audit.chain import Head
from aisbx.audit.jsontext import dumps
from aisbx.audit.write import AuditError, ExportError, write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from socket import socket as SocketType  # noqa: N812 - a class

    from aisbx.types import AuditPlace

SYSLOG = "syslog"
_SOCKETS = ("/dev/log", "/var/run/syslog")
_PRIORITY = 10 * 8 + 5
"""authpriv.notice (RFC 3164, 4.1.1)."""
_PATIENCE = 1.0
"""Seconds for which a syslog that takes nothing at the moment is waited for."""
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT
_HERE_ONLY = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
"""Not on every system; the last is for a FIFO that nobody reads."""


def ready(target: str) -> None:
    """See that a head could be told there; AuditError where not, so that nothing runs."""
    try:
        if target.partition(":")[0] == SYSLOG:
            _connect(target).close()
        else:
            os.close(_open(target))
    except OSError as error:
        msg = f"audit.export = {target}: {error.strerror or error}"
        raise AuditError(msg) from None


def export(place: "AuditPlace", head: Head) -> None:
    """Tell the head: a line of JSON in a file, or `audit-head LOG SEQ MAC` to syslog. ExportError where it failed."""
    target = place["export"]
    try:
        if target.partition(":")[0] == SYSLOG:
            with _connect(target) as connection:
                told = f"<{_PRIORITY}>aisbx[{os.getpid()}]: audit-head {place['path']} {head[0]} {head[5]}"
                connection.send(told.encode(errors="surrogateescape"))
            return
        told = dumps({"time": round(time.time(), 3), "log": place["path"], "seq": head[0], "mac": head[5]})
        descriptor = _open(target)
        try:
            write_all(descriptor, told.encode("ascii") + b"\n")
        finally:
            os.close(descriptor)
    except OSError as error:
        msg = f"the head was not exported to {target}: {error.strerror or error}"
        raise ExportError(error.errno or 5, msg) from None


def _open(path: str) -> int:
    descriptor = os.open(path, _FLAGS | _HERE_ONLY, 0o600)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is not a regular file")
    return descriptor


def _connect(target: str) -> "SocketType":
    import socket

    connection = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    connection.settimeout(_PATIENCE)
    _, _, named = target.partition(":")
    path = named or next((each for each in _SOCKETS if os.path.exists(each)), _SOCKETS[0])
    try:
        connection.connect(path)
    except OSError:
        connection.close()
        raise
    return connection
