"""The address that a host listens on."""

import socket
import sys
from collections.abc import Sequence

from aisbx.errors import UsageError
from aisbx.hosting.addresses import is_loopback, split

_BACKLOG = 1024


def check(certfile: str, keyfile: str, hosts: Sequence[str]) -> None:
    """Raise UsageError for half a certificate, or a name to go by that is none."""
    if bool(certfile) != bool(keyfile):
        raise UsageError("--certfile and --keyfile go together", hint="name both, or neither")
    for one in hosts:
        split(one)


def bind(host: str, port: int, *, near: bool) -> socket.socket:
    """Give a socket that listens (port 0: any that is free); UsageError where that cannot be.

    `near`: whoever reaches it needs no key, so it has to be out of reach for other machines.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        if near:
            check_near(str(address[0]))
        listener = socket.socket(family, kind)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # Each connection has it from here: an answer in two parts would else wait for the client's delayed ACK.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            listener.bind(address)
            listener.listen(_BACKLOG)
        except BaseException:
            listener.close()
            raise
    except OSError as error:
        hint = "use another --host or --port"
        raise UsageError(f"{host}:{port} cannot be served: {error.strerror}", hint=hint) from error
    return listener


def check_near(address: str) -> None:
    """Raise UsageError for an address that is reached from other machines, where no key is asked for."""
    if not is_loopback(address):
        hint = "use --host 127.0.0.1, or leave out --no-auth"
        raise UsageError(f"--no-auth: {address} can be reached by others", hint=hint)


def url(listener: socket.socket, *, tls: bool) -> str:
    """Give an address as clients write it."""
    if listener.family == socket.AF_UNIX:
        return f"unix:{listener.getsockname()}"
    host, port = listener.getsockname()[:2]
    return f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"


def announce(program: str, listener: socket.socket, path: str = "", *, tls: bool) -> None:
    """Say on stderr where it serves, and that keys can be read there where they can."""
    told = [f"serving {url(listener, tls=tls)}{path}"]
    if listener.family != socket.AF_UNIX and not tls and not is_loopback(listener.getsockname()[0]):
        told.append("without --certfile keys can be read on the network: put TLS before it")
    sys.stderr.write("".join(f"{program}: {line}\n" for line in told))
    sys.stderr.flush()
