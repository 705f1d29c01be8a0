"""What is allowed arrives, by each of the protocols; what is not is told why. While it runs the rules may change."""

import socket
import ssl
import threading
import time

import pytest

from .conftest import Limits, Running, Server, serving
from .test_hello import client_hello


def connect(place: str) -> bytes:
    return f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n\r\n".encode()


def socks(host: bytes, port: int, kind: int = 3) -> bytes:
    named = bytes([len(host)]) + host if kind == 3 else host
    return b"\x05\x01\0\x05\x01\0" + bytes([kind]) + named + port.to_bytes(2)


def ended(client: socket.socket) -> bool:
    """Read until the other side ends the connection; TimeoutError where it does not."""
    try:
        while client.recv(1 << 16):
            pass
    except ConnectionResetError:
        pass
    return True


def test_a_tunnel_carries_bytes_both_ways(proxy: Running, server: Server) -> None:
    answer = proxy.say(connect(f"good.example:{server.port}"), b"\0\1hello")
    assert answer.endswith(b"\r\n\r\n\0\1hello")
    event = proxy.await_event("egress.allowed")
    assert event.data == {
        "via": "connect",
        "host": "good.example",
        "port": server.port,
        "rule": f"good.example:{server.port}",
        "address": "127.0.0.1",
    }


def test_socks_carries_bytes_to_a_name_and_to_an_address_that_is_named(proxy: Running, server: Server) -> None:
    for host, kind in ((b"good.example", 3), (socket.inet_aton("127.0.0.1"), 1)):
        with proxy.connect() as client:
            client.sendall(socks(host, server.port, kind))
            answer = b""
            while len(answer) < 12:
                answer += client.recv(100)
            assert answer[:4] == b"\x05\0\x05\0"
            client.sendall(b"\0ping")
            assert client.recv(100) == b"\0ping"


def test_a_request_reaches_the_server_as_the_only_one_of_its_connection(proxy: Running) -> None:
    web = Server(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello", after=b"abc")
    proxy.rules += [f"good.example:{web.port}", f"127.0.0.1:{web.port}"]
    place = f"good.example:{web.port}"
    request = f"POST http://{place}/x HTTP/1.1\r\nHost: {place}\r\nContent-Length: 3\r\n\r\nabc".encode()
    smuggled = f"GET /admin HTTP/1.1\r\nHost: {place}\r\n\r\n".encode()
    assert proxy.say(request + smuggled).endswith(b"hello")
    got = b"".join(web.got)
    assert got.startswith(f"POST /x HTTP/1.1\r\nHost: {place}\r\n".encode())
    assert got.endswith(b"\r\n\r\nabc")
    assert b"admin" not in got
    web.listener.close()


def test_what_no_rule_allows_is_refused_with_the_reason(proxy: Running, server: Server) -> None:
    answer = proxy.say(connect(f"evil.example:{server.port}"))
    told = f"evil.example:{server.port} is refused: no rule allows it"
    assert answer.startswith(f"HTTP/1.1 403 Refused by aisbx: {told}\r\n".encode())
    assert proxy.await_event("egress.refused").data["reason"] == "no rule allows it"
    assert proxy.asked == []  # a name is decided on before anybody is asked for it
    assert proxy.say(socks(b"evil.example", server.port))[:4] == b"\x05\0\x05\x02"


def test_a_name_that_leads_to_no_public_address_is_refused(proxy: Running) -> None:
    proxy.names["c.wild.example"] = ["127.0.0.1"]
    for name, kind in (("b.wild.example", "loopback"), ("c.wild.example", "loopback")):
        answer = proxy.say(connect(f"{name}:443"))
        assert b" is not on the public internet (%s) and no rule names it" % kind.encode() in answer
    proxy.names["b.wild.example"] = ["169.254.169.254"]
    assert b"(metadata)" in proxy.say(connect("b.wild.example:443"))


def test_a_rule_for_some_requests_to_an_address_names_that_address_for_these(proxy: Running) -> None:
    web = Server(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello")
    proxy.rules[:] = [f"127.0.0.1:{web.port} GET /v1/*", f"good.example:{web.port}"]
    place = f"127.0.0.1:{web.port}"
    for path, expected in (("/v1/x", b"hello"), ("/v2", b"403 ")):
        assert expected in proxy.say(f"GET http://{place}{path} HTTP/1.1\r\nHost: {place}\r\n\r\n".encode())
    assert b"403 " in proxy.say(connect(place))
    assert b"403 " in proxy.say(connect(f"good.example:{web.port}"))  # for a name it has to be named as a whole


def test_a_handshake_for_the_name_goes_through_byte_for_byte(server: Server) -> None:
    with serving(Limits(), [f"good.example:{server.port}", "127.0.0.1"]) as proxy:
        proxy.names = {"good.example": ["127.0.0.1"]}
        data = client_hello("good.example")
        with proxy.connect() as client:
            client.sendall(connect(f"good.example:{server.port}"))
            assert client.recv(1000).startswith(b"HTTP/1.1 200")
            for byte in data:
                client.send(bytes([byte]))
            got = b""
            while len(got) < len(data):
                got += client.recv(1000)
        assert got == data


def test_a_grant_is_heard_at_once_and_its_end_closes_what_it_allowed(proxy: Running, server: Server) -> None:
    place = f"evil.example:{server.port}"
    assert b" 403 " in proxy.say(connect(place))
    proxy.rules.append(place)
    with proxy.connect() as client:
        client.sendall(connect(place))
        assert b" 200 " in client.recv(1000)
        client.sendall(b"\0x")
        assert client.recv(10) == b"\0x"
        proxy.rules.remove(place)
        assert ended(client)
    assert b" 403 " in proxy.say(connect(place))
    assert "it is no longer allowed" in [event.data["reason"] for event in proxy.events if "reason" in event.data]


def test_limits_close_what_is_idle_too_large_or_one_too_many(server: Server) -> None:
    with serving(Limits(connections=2, bytes=1000, idle=60, opening=0.5), [f"127.0.0.1:{server.port}"]) as proxy:
        idle, large = proxy.connect(), proxy.connect()
        large.sendall(connect(f"127.0.0.1:{server.port}"))
        assert b" 200 " in large.recv(1000)
        with proxy.connect() as third:
            assert b" 503 " in third.recv(1000)
        large.sendall(b"\0" * 2000)
        for one in (idle, large):
            assert ended(one)
            one.close()
        reasons = {event.data["reason"] for event in proxy.events if "reason" in event.data}
        assert {"it took too long to say what it is for", "it carried more bytes than it may"} <= reasons


def test_hundreds_of_connections_at_once_lose_nothing(proxy: Running, server: Server) -> None:
    clients = [proxy.connect() for _ in range(200)]
    for client in clients:
        client.sendall(connect(f"good.example:{server.port}"))
    for number, client in enumerate(clients):
        assert b" 200 " in client.recv(1000)
        client.sendall(b"\0%d" % number)
    for number, client in enumerate(clients):
        assert client.recv(1000) == b"\0%d" % number
        client.close()


def test_connections_that_have_ended_are_counted_no_more(server: Server) -> None:
    with serving(Limits(connections=2), [f"127.0.0.1:{server.port}"]) as proxy:
        for _ in range(6):
            place = f"127.0.0.1:{server.port}"
            assert proxy.say(connect(place), b"\0whole").endswith(b"\r\n\r\n\0whole")
            request = f"GET http://{place}/ HTTP/1.1\r\nHost: {place}\r\n\r\n".encode()
            assert proxy.say(request).startswith(b"GET / HTTP/1.1\r\n")
            time.sleep(0.02)  # for both ends to be heard of


def test_a_server_that_is_read_slowly_holds_the_sender_up(proxy: Running) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        proxy.rules += [f"127.0.0.1:{port}"]
        client = proxy.connect()
        client.sendall(connect(f"127.0.0.1:{port}"))
        accepted, _ = listener.accept()
        assert b" 200 " in client.recv(1000)
        payload = b"\0" * (1 << 24)
        sender = threading.Thread(target=client.sendall, args=(payload,))
        client.settimeout(20)
        sender.start()
        sender.join(0.3)
        assert sender.is_alive()
        got = 0
        while got < len(payload):
            got += len(accepted.recv(1 << 20))
        sender.join(5)
        assert not sender.is_alive()
        accepted.close()
        client.close()


def test_a_real_tls_client_whose_name_differs_gets_nowhere(server: Server) -> None:
    with serving(Limits(), [f"good.example:{server.port}", "127.0.0.1"]) as proxy:
        proxy.names = {"good.example": ["127.0.0.1"]}
        with proxy.connect() as client:
            client.sendall(connect(f"good.example:{server.port}"))
            client.recv(1000)
            context = ssl.create_default_context()
            with pytest.raises((ssl.SSLError, OSError)):
                context.wrap_socket(client, server_hostname="evil.example")
        refused = proxy.await_event("egress.refused")
        assert refused.data["reason"] == "the handshake asks for 'evil.example'"
        assert server.got == []
