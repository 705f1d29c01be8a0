"""The head, told to another place after each record: what was told there cannot be taken back here."""

import os
import time

from aisbx.audit.chain import Head
from aisbx.audit.jsontext import dumps
from aisbx.audit.write import AuditError, ExportError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from socket import socket as SocketType  # noqa: N812 - a class

    from aisbx.types import AuditPlace

SYSLOG = "syslog"
_SOCKETS = ("/dev/log", "/var/run/syslog")
_PRIORITY = 10 * 8 + 5
"""authpriv.notice (RFC 3164, 4.1.1)."""
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)


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
            os.write(descriptor, told.encode("ascii") + b"\n")
        finally:
            os.close(descriptor)
    except OSError as error:
        msg = f"the head was not exported to {target}: {error.strerror or error}"
        raise ExportError(error.errno or 5, msg) from None


def _open(path: str) -> int:
    return os.open(path, _FLAGS, 0o600)


def _connect(target: str) -> "SocketType":
    import socket

    connection = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    _, _, named = target.partition(":")
    path = named or next((each for each in _SOCKETS if os.path.exists(each)), _SOCKETS[0])
    try:
        connection.connect(path)
    except OSError:
        connection.close()
        raise
    return connection
