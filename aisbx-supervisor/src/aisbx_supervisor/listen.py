"""Where it listens: an address, a Unix socket, or what systemd hands over (sd_listen_fds(3))."""

import os
import socket
import stat
from collections.abc import Mapping

from aisbx.errors import UsageError
from aisbx.hosting.addresses import is_loopback, split

from aisbx_supervisor.options import ServeOptions

_FIRST = 3
_BACKLOG = 1024


def listen(options: ServeOptions, environ: Mapping[str, str], *, said: bool) -> list[socket.socket]:
    """Give the sockets to serve; UsageError for what cannot be had. `said`: a place was named on the command line."""
    if bool(options.certfile) != bool(options.keyfile):
        raise UsageError("--certfile and --keyfile go together", hint="name both, or neither")
    for one in options.hosts:
        split(one)
    handed = _handed(environ)
    if handed and said:
        raise UsageError("sockets were handed over by systemd", hint="leave out --host, --port and --uds")
    sockets = handed or [_unix(options.uds) if options.uds else _tcp(options)]
    far = [str(one.getsockname()[0]) for one in sockets if one.family != socket.AF_UNIX]
    far = [address for address in far if not is_loopback(address)]
    if far and not options.auth:
        for one in sockets:
            one.close()
        hint = "use --host 127.0.0.1, or leave out --no-auth"
        raise UsageError(f"--no-auth: {far[0]} can be reached by others", hint=hint)
    return sockets


def shown(listener: socket.socket, *, tls: bool) -> str:
    """Give an address as clients write it."""
    if listener.family == socket.AF_UNIX:
        return f"unix:{listener.getsockname()}"
    host, port = listener.getsockname()[:2]
    return f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"


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


def _tcp(options: ServeOptions) -> socket.socket:
    try:
        family, kind, _, _, address = socket.getaddrinfo(options.host, options.port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(_BACKLOG)
        except BaseException:
            listener.close()
            raise
    except OSError as error:
        hint = "use another --host or --port"
        raise UsageError(f"{options.host}:{options.port} cannot be served: {error.strerror}", hint=hint) from error
    return listener
