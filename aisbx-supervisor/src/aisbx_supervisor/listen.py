"""Where it listens: an address, a Unix socket, or what systemd hands over (sd_listen_fds(3))."""

import os
import socket
import stat
from collections.abc import Mapping

from aisbx.errors import UsageError
from aisbx.hosting.listening import bind, check, check_near

from aisbx_supervisor.options import ServeOptions

_FIRST = 3
_BACKLOG = 1024


def listen(options: ServeOptions, environ: Mapping[str, str], *, said: bool) -> list[socket.socket]:
    """Give the sockets to serve; UsageError for what cannot be had. `said`: a place was named on the command line."""
    check(options.certfile, options.keyfile, options.hosts)
    handed = _handed(environ)
    if handed and said:
        raise UsageError("sockets were handed over by systemd", hint="leave out --host, --port and --uds")
    if not handed:
        return [_unix(options.uds) if options.uds else bind(options.host, options.port, near=not options.auth)]
    try:
        for one in handed if not options.auth else ():
            if one.family != socket.AF_UNIX:
                check_near(str(one.getsockname()[0]))
    except UsageError:
        for one in handed:
            one.close()
        raise
    return handed


def _handed(environ: Mapping[str, str]) -> list[socket.socket]:
    if environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    count = environ.get("LISTEN_FDS", "")
    if not (count.isascii() and count.isdigit() and 0 < int(count) < 100):  # noqa: PLR2004 - more is no unit's
        raise UsageError(f"LISTEN_FDS is {count!r}", hint="start it by its socket unit")
    sockets: list[socket.socket] = []
    for number in range(_FIRST, _FIRST + int(count)):
        os.set_inheritable(number, False)  # noqa: FBT003 - positional only
        try:
            one = socket.socket(fileno=number)
        except OSError as error:
            raise UsageError(
                f"descriptor {number} of LISTEN_FDS: {error.strerror}", hint="use a socket unit"
            ) from error
        if one.type != socket.SOCK_STREAM or not one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise UsageError(f"descriptor {number} of LISTEN_FDS does not listen", hint="use ListenStream=")
        sockets.append(one)
    return sockets


def _unix(path: str) -> socket.socket:
    """Make a socket that only this user can open; one that nobody listens on any more is replaced."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_dead(path)
        before = os.umask(0o177)
        try:
            listener.bind(path)
        finally:
            os.umask(before)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        why = error.strerror or str(error)
        raise UsageError(f"--uds: {path} cannot be served: {why}", hint="name another path") from error
    except BaseException:
        listener.close()
        raise
    return listener


def _remove_dead(path: str) -> None:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.geteuid():
        raise UsageError(f"--uds: {path} is there and is no socket of yours", hint="name another path")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
    raise UsageError(f"--uds: somebody serves {path} already", hint="end that one, or name another path")
