"""Sockets: Unix and the Internet's everyday protocols; every other family and protocol closed."""

import errno
import socket

import pytest

from .support import ENTRIES, PYTHON, Call, ask, confined, number

NO_FAMILY, NO_PROTOCOL, REFUSED = (-1, errno.EAFNOSUPPORT), (-1, errno.EPROTONOSUPPORT), (-1, errno.EPERM)
UNIX, INET, INET6, NETLINK, PACKET, VSOCK, ALG = 1, 2, 10, 16, 17, 40, 38
STREAM, DGRAM, RAW, SEQPACKET, DCCP, PACKET_TYPE = 1, 2, 3, 5, 6, 10
CLOEXEC, NONBLOCK = 0o2000000, 0o4000
ABOVE = 1 << 32


def make(family: int, kind: int, protocol: int = 0) -> list[Call]:
    return [(number("socket"), family, kind, protocol)]


@pytest.mark.parametrize("entry", ENTRIES)
def test_every_family_but_unix_and_internet_is_unknown(entry: str) -> None:
    probes = {
        f"{family} {kind}": make(family, kind)
        for family in (*range(64), 255, 0xFFFF_FFFF)
        for kind in (STREAM, DGRAM, RAW, SEQPACKET)
        if family not in (UNIX, INET, INET6)
    }
    got = ask(probes, "base", entry=entry)
    assert {name: rows for name, rows in got.items() if rows != [NO_FAMILY]} == {}
    open_ = ask(probes)
    assert open_[f"{NETLINK} {RAW}"][0][1] == 0
    assert open_[f"{PACKET} {RAW}"][0][1] == 0


def test_bits_above_the_family_change_nothing() -> None:
    probes = {
        "netlink": make(ABOVE | NETLINK, RAW),
        "packet": make(ABOVE | PACKET, RAW),
        "unix": make(ABOVE | UNIX, STREAM),
    }
    got = ask(probes, "base")
    assert got["netlink"] == got["packet"] == [NO_FAMILY]
    assert got["unix"][0][1] == 0
    assert ask(probes)["netlink"][0][1] == 0


@pytest.mark.parametrize(
    ("protocol", "kind"),
    [(262, STREAM), (ABOVE | 262, STREAM), (132, STREAM), (132, SEQPACKET), (33, DCCP), (136, DGRAM), (255, STREAM)],
    ids=["mptcp", "mptcp with bits above", "sctp", "sctp packets", "dccp", "udplite", "none"],
)
@pytest.mark.parametrize("family", [INET, INET6])
def test_internet_protocols_beyond_the_everyday_ones_are_unknown(family: int, kind: int, protocol: int) -> None:
    assert ask({"socket": make(family, kind, protocol)}, "base")["socket"] == [NO_PROTOCOL]


def test_the_kernel_has_protocols_that_the_filter_hides() -> None:
    open_ = ask({"mptcp": make(INET, STREAM, 262), "udplite": make(INET, DGRAM, 136), "sctp": make(INET, STREAM, 132)})
    assert any(rows[0][1] == 0 for rows in open_.values())


@pytest.mark.parametrize("entry", ENTRIES)
def test_raw_and_packet_sockets_are_refused_even_to_those_with_capabilities(entry: str) -> None:
    probes = {"raw": make(INET, RAW, 1), "raw6": make(INET6, RAW, 58), "old packet": make(INET, PACKET_TYPE, 0x300)}
    got = ask(probes, "base", entry=entry)
    assert got == {"raw": [REFUSED], "raw6": [REFUSED], "old packet": [NO_PROTOCOL]}
    assert all(rows[0][1] == 0 for rows in ask(probes).values())


def test_everyday_sockets_are_made_with_their_flags() -> None:
    flags = CLOEXEC | NONBLOCK
    probes = {
        f"{family} {kind} {protocol}": make(family, kind | flags, protocol)
        for family in (INET, INET6)
        for kind, protocol in ((STREAM, 0), (STREAM, 6), (DGRAM, 0), (DGRAM, 17))
    }
    probes |= {f"unix {kind}": make(UNIX, kind | flags) for kind in (STREAM, DGRAM, SEQPACKET)}
    assert {name: rows for name, rows in ask(probes, "base").items() if rows[0][1]} == {}


def test_socketpairs_are_unix_only() -> None:
    room = {"bytes": "00" * 8}
    probes: dict[str, list[Call]] = {
        "unix": [(number("socketpair"), UNIX, STREAM, 0, room)],
        "tipc": [(number("socketpair"), 30, STREAM, 0, room)],
    }
    got = ask(probes, "base")
    assert got["unix"] == [(0, 0)]
    assert got["tipc"] == [(-1, errno.EOPNOTSUPP)]


FAST_OPEN = """
import errno, socket, sys
listener = socket.create_server(("127.0.0.1", 0))
def attempt(name, send):
    client = socket.socket()
    client.setblocking(False)
    try:
        send(client)
        print(name, "went through")
    except OSError as error:
        print(name, errno.errorcode[error.errno])
where = listener.getsockname()
attempt("sendto", lambda s: s.sendto(b"x", socket.MSG_FASTOPEN, where))
attempt("sendmsg", lambda s: s.sendmsg([b"x"], [], socket.MSG_FASTOPEN, where))
attempt("client option", lambda s: s.setsockopt(socket.IPPROTO_TCP, 30, 1))
attempt("server option", lambda s: s.setsockopt(socket.IPPROTO_TCP, 23, 5))
attempt("module option", lambda s: s.setsockopt(socket.IPPROTO_TCP, 31, b"nosuch"))
attempt("ordinary option", lambda s: s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1))
"""


def test_tcp_fast_open_is_closed_and_other_options_are_not() -> None:
    lines = confined([PYTHON, "-c", FAST_OPEN], "base").stdout.splitlines()
    assert lines == [
        "sendto ENOTSUP",  # Linux has one number for this and EOPNOTSUPP
        "sendmsg ENOTSUP",
        "client option ENOPROTOOPT",
        "server option ENOPROTOOPT",
        "module option ENOPROTOOPT",
        "ordinary option went through",
    ]
    # EINPROGRESS: the connection is on its way, only without a cookie yet.
    assert confined([PYTHON, "-c", FAST_OPEN]).stdout.splitlines() == [
        "sendto EINPROGRESS",
        "sendmsg EINPROGRESS",
        "client option went through",
        "server option went through",
        "module option ENOENT",
        "ordinary option went through",
    ]


def test_fast_open_is_closed_to_many_messages_at_once() -> None:
    probes: dict[str, list[Call]] = {"sendmmsg": [(number("sendmmsg"), 99, 0, 0, int(socket.MSG_FASTOPEN))]}
    assert ask(probes, "base")["sendmmsg"] == [(-1, errno.EOPNOTSUPP)]
    assert ask(probes)["sendmmsg"] == [(-1, errno.EBADF)]


def test_the_group_netlink_route_opens_that_protocol_alone() -> None:
    probes = {f"{protocol}": make(NETLINK, RAW | CLOEXEC, protocol) for protocol in range(23)}
    got = ask(probes, "base", "netlink-route")
    assert got["0"][0][1] == 0
    assert {name: rows for name, rows in got.items() if name != "0" and rows != [NO_FAMILY]} == {}


def test_interfaces_can_be_listed_with_the_group_netlink_route() -> None:
    script = "import socket; print(socket.if_nameindex())"
    assert confined([PYTHON, "-c", script], "base", "netlink-route").stdout == "[(1, 'lo')]\n"
    assert confined([PYTHON, "-c", script], "base").returncode == 1
