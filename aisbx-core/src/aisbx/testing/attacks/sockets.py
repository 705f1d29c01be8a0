"""Attacks with sockets that the filter closes, each family and protocol by its name: `sys:filter`.

A network namespace does not hold them back: they reach the kernel's own code (crypto, tracing, routing), not the net.
"""

import socket

from aisbx.testing.attack import Attack
from aisbx.testing.premises import IPPROTO_MPTCP, first_of, no_mptcp, no_socket, unfiltered

_ALG = 38  # AF_ALG, linux/socket.h
_KOBJECT_UEVENT, _NETFILTER, _CRYPTO = 15, 12, 21  # linux/netlink.h

# An unfiltered kernel tells an unknown kind of socket with ESOCKTNOSUPPORT, and a known one that needs more rights
# with EPERM: only what the filter gives for all of a family counts as held.
_MAKE = """
    for protocol in {protocols!r}:
        if tries(lambda: socket.socket({family}, {kind}, protocol).close()):
            breach("made one with protocol %d" % protocol)
"""


def _socket(name: str, sentence: str, family: int, kind: socket.SocketKind, protocols: tuple[int, ...]) -> Attack:
    return Attack(
        id=f"sys:filter/{name}",
        sentence=sentence,
        program=_MAKE.format(family=int(family), kind=int(kind), protocols=protocols),
        unprovable=first_of(no_socket(family, kind, protocols[0]), unfiltered),
    )


ATTACKS = (
    _socket(
        "netlink",
        "talk to the kernel over netlink: routes, device events, netfilter, crypto",
        socket.AF_NETLINK,
        socket.SOCK_RAW,
        (0, _KOBJECT_UEVENT, _NETFILTER, _CRYPTO),
    ),
    _socket("alg", "use the kernel's ciphers over AF_ALG", _ALG, socket.SOCK_SEQPACKET, (0,)),
    _socket("packet", "open a packet socket", socket.AF_PACKET, socket.SOCK_RAW, (0,)),
    _socket("raw", "open a raw socket and make up the packets", socket.AF_INET, socket.SOCK_RAW, (1, 255)),
    Attack(
        id="sys:filter/mptcp",
        sentence="open a socket of Multipath TCP, on its own loopback",
        program=f"""
            socket.socket(socket.AF_INET, socket.SOCK_STREAM, {IPPROTO_MPTCP}).close()
            breach("made one")
        """,
        unprovable=first_of(no_mptcp, unfiltered),
    ),
    Attack(
        id="sys:filter/tcp-fast-open",
        sentence="send data with a connection's first packet, by TCP fast open, past what watches connect(2)",
        program="""
            with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
                for option in (23, 30):  # TCP_FASTOPEN, TCP_FASTOPEN_CONNECT: linux/tcp.h
                    if tries(client.setsockopt, socket.IPPROTO_TCP, option, 1):
                        breach("set option %d" % option)
                client.setblocking(False)
                try:
                    client.sendto(b"x", 0x20000000, server.getsockname())  # MSG_FASTOPEN
                except OSError as error:
                    if error.errno != errno.EINPROGRESS:
                        raise
                breach("sent")
        """,
        unprovable=unfiltered,
    ),
    Attack(
        id="sys:filter/families",
        sentence="find any family of sockets open beside Unix and the Internet's",
        program="""
            own = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6)
            for family in (number for number in range(1, 64) if number not in own):
                for kind in (1, 2, 3, 5):
                    if tries(lambda: socket.socket(family, kind).close()):
                        breach("made one of family %d" % family)
        """,
        unprovable=unfiltered,
    ),
)
