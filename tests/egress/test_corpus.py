"""Attacks on the proxy. Each would reach the server, which is there and answers, if it were let by; none does."""

import socket

import pytest

from .conftest import Running, Server
from .test_hello import client_hello, records
from .test_proxy import connect, socks

GET = b"GET / HTTP/1.1\r\nHost: "
POST = b"POST http://good.example:%d/ HTTP/1.1\r\nHost: good.example:%d\r\n"
# What a client says first; %d is the server's port. good.example and its address are allowed, evil.example is not.
HEADS = [
    b"CONNECT evil.example:%d HTTP/1.1\r\nHost: good.example:%d\r\n\r\n",
    b"CONNECT good.example:%d HTTP/1.1\r\nHost: evil.example:%d\r\n\r\n",
    b"CONNECT good.example:%d@evil.example:%d HTTP/1.1\r\nHost: good.example\r\n\r\n",
    b"CONNECT good.example\0.evil.example:%d HTTP/1.1\r\n\r\n",
    b"CONNECT good.example%%00.evil.example:%d HTTP/1.1\r\nHost: good.example:%d\r\n\r\n",
    b"CONNECT good.example\r\n.evil.example:%d HTTP/1.1\r\n\r\n",
    b"CONNECT 2130706433:%d HTTP/1.1\r\nHost: 2130706433:%d\r\n\r\n",
    b"CONNECT 0x7f000001:%d HTTP/1.1\r\nHost: 0x7f000001:%d\r\n\r\n",
    b"CONNECT 0177.0.0.1:%d HTTP/1.1\r\nHost: 0177.0.0.1:%d\r\n\r\n",
    b"CONNECT 127.1:%d HTTP/1.1\r\nHost: 127.1:%d\r\n\r\n",
    b"CONNECT 127.0.0.2:%d HTTP/1.1\r\nHost: 127.0.0.2:%d\r\n\r\n",
    b"CONNECT 0.0.0.0:%d HTTP/1.1\r\nHost: 0.0.0.0:%d\r\n\r\n",
    b"CONNECT [::1]:%d HTTP/1.1\r\nHost: [::1]:%d\r\n\r\n",
    b"CONNECT [::ffff:127.0.0.2]:%d HTTP/1.1\r\nHost: [::ffff:127.0.0.2]:%d\r\n\r\n",
    b"CONNECT [fe80::1%%25lo]:%d HTTP/1.1\r\nHost: [fe80::1%%25lo]:%d\r\n\r\n",
    b"CONNECT evil.example.:%d HTTP/1.1\r\nHost: evil.example.:%d\r\n\r\n",
    b"CONNECT \xef\xbc\x87ood.example:%d HTTP/1.1\r\n\r\n",
    b"CONNECT good.example:0%d HTTP/1.1\r\nHost: good.example\r\n\r\n",
    b"CONNECT good.example:%d HTTP/1.1\r\nHost: good.example:%d\r\nContent-Length: 5\r\n\r\n",
    b"GET http://evil.example:%d/ HTTP/1.1\r\nHost: good.example:%d\r\n\r\n",
    b"GET http://good.example:%d/ HTTP/1.1\r\nHost: evil.example:%d\r\n\r\n",
    b"GET http://good.example:%d@evil.example:%d/ HTTP/1.1\r\nHost: good.example:%d\r\n\r\n",
    b"GET http://good.example:%d#@evil.example:%d/ HTTP/1.1\r\nHost: good.example:%d\r\n\r\n",
    b"GET http://good.example:%d\\@evil.example:%d/ HTTP/1.1\r\nHost: good.example:%d\r\n\r\n",
    b"GET https://good.example:%d/ HTTP/1.1\r\nHost: good.example:%d\r\n\r\n",
    b"GET ftp://good.example:%d/ HTTP/1.1\r\nHost: good.example:%d\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: good.example:%d\r\n\r\n",
    b"GET http://good.example:%d/ HTTP/1.1\r\nHost: good.example:%d\r\nHost: evil.example:%d\r\n\r\n",
    b"GET http://good.example:%d/ HTTP/1.1\nHost: good.example:%d\n\n",
    b"GET http://good.example:%d/ HTTP/1.1\r\nHost: good.example:%d\r\nX: a\r\n folded\r\n\r\n",
    POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    b"POST http://good.example:%d/ HTTP/1.0\r\nHost: good.example:%d\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"GET http://good.example:443/%d HTTP/1.1\r\nHost: good.example:443\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x04\x01\0\x50\x7f\0\0\1\0",
]
TUNNELLED = {
    "another name in the handshake": client_hello("evil.example"),
    "another name, over many records": records(client_hello("evil.example")[5:], 20),
    "no name in the handshake": client_hello(None),
    "another Host within the tunnel": GET + b"evil.example\r\n\r\n",
    "two Hosts within the tunnel": GET + b"good.example\r\nHost: evil.example\r\n\r\n",
    "a proxy asked through the tunnel": b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n",
    "a whole target within the tunnel": b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "a request after an empty line": b"\r\n" + GET + b"evil.example\r\n\r\n",
    "a request of an unknown method": b"LIST / HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "a request of a method in small letters": b"get  / HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "a bare line feed within the tunnel": b"GET / HTTP/1.1\nHost: evil.example\n\n",
}
SOCKS = {
    "a name that is not allowed": (b"evil.example", 3),
    "a name with NUL": (b"good.example\0.evil.example", 3),
    "an integer": (b"2130706433", 3),
    "another address": (socket.inet_aton("127.0.0.2"), 1),
    "an address of IPv6": (socket.inet_pton(socket.AF_INET6, "::1"), 4),
    "a mapped address": (socket.inet_pton(socket.AF_INET6, "::ffff:127.0.0.2"), 4),
    "no name": (b"", 3),
}


@pytest.mark.parametrize("head", HEADS)
def test_a_request_that_could_be_read_otherwise_reaches_nobody(proxy: Running, server: Server, head: bytes) -> None:
    answer = proxy.say(head % ((server.port,) * head.replace(b"%%", b"").count(b"%d")))
    assert answer[:12] in {b"HTTP/1.1 400", b"HTTP/1.1 403"}
    assert server.accepted == 0
    assert proxy.kinds() == ["egress.refused"]


@pytest.mark.parametrize("data", TUNNELLED.values(), ids=TUNNELLED)
def test_what_is_said_in_a_tunnel_is_for_its_name(proxy: Running, server: Server, data: bytes) -> None:
    proxy.say(connect(f"good.example:{server.port}"), data)
    assert proxy.await_event("egress.refused").data["reason"]
    assert server.got == []


def test_what_follows_a_request_in_a_tunnel_is_not_sent(proxy: Running, server: Server) -> None:
    place = b"good.example:%d" % server.port
    proxy.say(connect(place.decode()), GET + place + b"\r\n\r\n" + GET + b"evil.example\r\n\r\n")
    assert b"".join(server.got).count(b"GET / HTTP/1.1") == 1
    assert b"evil" not in b"".join(server.got)


@pytest.mark.parametrize(("host", "kind"), SOCKS.values(), ids=SOCKS)
def test_socks_is_held_to_the_same_rules(proxy: Running, server: Server, host: bytes, kind: int) -> None:
    assert proxy.say(socks(host, server.port, kind))[3:4] not in {b"\0", b""}
    assert server.accepted == 0
    assert "egress.allowed" not in proxy.kinds()


@pytest.mark.parametrize("command", [2, 3])
def test_socks_binds_nothing_and_relays_no_datagrams(proxy: Running, server: Server, command: int) -> None:
    data = socks(b"good.example", server.port)
    assert proxy.say(data[:4] + bytes([command]) + data[5:])[3:4] == b"\x07"


def test_a_name_that_is_rebound_is_connected_to_where_it_was_checked(proxy: Running, server: Server) -> None:
    place = f"good.example:{server.port}"
    assert b" 200 " in proxy.say(connect(place))
    assert proxy.asked == ["good.example"]  # once for each connection: no second answer can be another
    proxy.names["good.example"] = ["169.254.169.254"]
    assert b" 403 " in proxy.say(connect(place))


def test_the_server_of_these_attacks_answers_whoever_is_let_by(proxy: Running, server: Server) -> None:
    assert proxy.say(connect(f"good.example:{server.port}"), b"\0x").endswith(b"\0x")
    assert server.accepted == 1
