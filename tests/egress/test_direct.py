"""Programs that know of no proxy: a name that is allowed has an address inside, which leads to that name alone."""

import socket
import time
from ipaddress import IPv4Address

import pytest
from aisbx_egress import question
from aisbx_egress.places import PlaceProblem, Places
from aisbx_egress.rules import COMMON, compiled
from hypothesis import given, settings
from hypothesis import strategies as st

from .conftest import BLOCK, Running, Server
from .test_hello import client_hello
from .test_proxy import connect, ended, socks

NOWHERE = 3
FAILED = 2


def asking(name: bytes, kind: int = question.A, *, count: int = 1, flags: int = 0x0100, group: int = 1) -> bytes:
    labels = b"".join(bytes([len(label)]) + label for label in name.split(b".")) if name else b""
    head = b"".join(value.to_bytes(2) for value in (7, flags, count, 0, 0, 0))
    return head + labels + b"\0" + kind.to_bytes(2) + group.to_bytes(2)


def ask(proxy: Running, message: bytes) -> bytes:
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.sendto(message, proxy.resolver)
        return client.recv(1000)


def code(answer: bytes) -> int:
    return answer[3] & 0xF


def lookup(proxy: Running, name: bytes) -> str:
    """Give the address that a name has inside."""
    answer = ask(proxy, asking(name))
    assert code(answer) == 0
    assert answer[6:8] == b"\0\1"
    return str(IPv4Address(answer[-4:]))


def said(place: tuple[str, int], data: bytes) -> bytes:
    with socket.create_connection(place, timeout=5) as client:
        client.sendall(data)
        answer = b""
        try:
            client.shutdown(socket.SHUT_WR)
            while got := client.recv(1 << 16):
                answer += got
        except OSError:  # it was closed before all was said
            pass
        return answer


def test_who_goes_to_a_names_address_is_carried_to_that_name(proxy: Running, server: Server) -> None:
    place = lookup(proxy, b"good.Example")
    assert said((place, server.port), b"\0\1hello") == b"\0\1hello"
    event = proxy.await_event("egress.allowed")
    assert (event.data["via"], event.data["host"]) == ("direct", "good.example")
    assert lookup(proxy, b"good.example") == place


def test_names_that_no_rule_allows_do_not_exist_and_that_is_reported(proxy: Running) -> None:
    for name in (b"evil.example", b"wild.example", b"secret.good.example"):
        assert code(ask(proxy, asking(name))) == NOWHERE
    assert proxy.await_event("egress.refused").data["via"] == "dns"
    assert proxy.asked == []  # nobody outside heard of it


def test_an_allowed_name_has_one_address_and_nothing_else(proxy: Running) -> None:
    for kind in (28, 16, 65, 33):  # AAAA, TXT, HTTPS, SRV
        answer = ask(proxy, asking(b"good.example", kind))
        assert (code(answer), answer[6:8]) == (0, b"\0\0")


def test_an_address_tells_its_name_and_others_tell_none(proxy: Running) -> None:
    place = lookup(proxy, b"good.example").split(".")
    answer = ask(proxy, asking(".".join([*reversed(place), "in-addr", "arpa"]).encode(), question.PTR))
    assert answer.endswith(b"\4good\7example\0")
    assert code(ask(proxy, asking(b"1.0.0.127.in-addr.arpa", question.PTR))) == NOWHERE


def test_names_are_told_over_a_connection_too(proxy: Running) -> None:
    with socket.create_connection(proxy.resolver, timeout=5) as client:
        for _ in range(2):
            message = asking(b"good.example")
            client.sendall(len(message).to_bytes(2) + message[:5])
            client.sendall(message[5:])
            answer = client.recv(1000)
            assert int.from_bytes(answer[:2]) == len(answer) - 2
            assert code(answer[2:]) == 0
        client.sendall(b"\xff\xff" + bytes(1000))
        assert client.recv(1000) == b""


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", "the Host field names another host than the connection"),
        (client_hello("evil.example"), "the handshake asks for 'evil.example'"),
        (client_hello(None), "the handshake asks for no name"),
    ],
)
def test_a_direct_connection_that_means_another_name_is_refused(
    proxy: Running, server: Server, data: bytes, reason: str
) -> None:
    place = lookup(proxy, b"good.example")
    said((place, server.port), data)
    assert proxy.await_event("egress.refused").data["reason"] == reason
    assert server.got == []


def test_a_names_address_stands_for_the_name_in_a_tunnel(proxy: Running, server: Server) -> None:
    place = lookup(proxy, b"good.example")
    assert proxy.say(connect(f"{place}:{server.port}"), b"\0\1").endswith(b"\r\n\r\n\0\1")
    packed = socket.inet_aton(place)
    assert proxy.say(socks(packed, server.port, 1), b"\0\1").endswith(b"\0\1")
    assert {event.data["host"] for event in proxy.events} == {"good.example"}


def test_a_rule_that_is_withdrawn_ends_what_went_to_the_names_address(proxy: Running, server: Server) -> None:
    place = lookup(proxy, b"good.example")
    with socket.create_connection((place, server.port), timeout=5) as client:
        client.sendall(b"\0\1")
        assert client.recv(10) == b"\0\1"
        proxy.rules.remove(f"good.example:{server.port}")
        assert ended(client)
    assert said((place, server.port), b"\0\1") == b""
    assert code(ask(proxy, asking(b"good.example"))) == NOWHERE


def test_a_rule_for_some_requests_is_held_in_direct_connections(proxy: Running, server: Server) -> None:
    proxy.rules[0] = f"good.example:{server.port} GET /open/*"
    place = lookup(proxy, b"good.example")
    head = f" HTTP/1.1\r\nHost: good.example:{server.port}\r\n\r\n".encode()
    assert b"403" in said((place, server.port), b"GET /shut" + head)
    assert b"400" in said((place, server.port), b"\0" + head)
    assert server.got == []
    assert said((place, server.port), b"GET /open/a" + head).startswith(b"GET /open/a HTTP/1.1\r\n")


def test_without_room_for_another_name_it_has_no_address_and_that_is_reported(proxy: Running, server: Server) -> None:
    proxy.rules += [f"n{number}.example:{server.port}" for number in range(5)]
    codes = [code(ask(proxy, asking(b"n%d.example" % number))) for number in range(5)]
    assert sorted(set(codes)) == [0, FAILED]
    assert "no more sockets" in str(proxy.await_event("egress.refused").data["reason"])


def test_names_of_one_sandbox_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aisbx_egress.places._MOST", 2)
    places = Places([], lambda _: None, BLOCK)
    assert places.lead("a.example", ()) != places.lead("b.example", ())
    with pytest.raises(PlaceProblem, match="2 names"):
        places.lead("c.example", ())
    assert places.lead("a.example", ()) == IPv4Address("127.77.0.1")


def test_a_place_that_cannot_be_had_leaves_its_socket_for_others() -> None:
    with socket.create_server(("127.77.0.1", 0)) as taken, socket.socket() as spare:
        waiting: list[socket.socket] = []
        places = Places([spare], waiting.append, BLOCK)
        with pytest.raises(PlaceProblem, match="cannot be had"):
            places.lead("a.example", (taken.getsockname()[1],))
        assert waiting == []
        assert places.name("127.77.0.1") == ""


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\0" * 11,
        asking(b"good.example", flags=0x8000),  # an answer
    ],
)
def test_what_is_no_question_is_not_answered(message: bytes) -> None:
    assert question.answered(message, lambda _: pytest.fail("it was read")) == b""


@pytest.mark.parametrize(
    "message",
    [
        asking(b"good.example", count=2),
        asking(b"good.example", count=0),
        asking(b"good.example", group=3),
        asking(b"good.example", flags=0x2800),  # an update
        asking(b"good.example")[:-1],
        asking(b"good.example")[:20],
        asking(b"")[:12] + b"\xc0\x0c\0\1\0\1",  # a pointer to itself
        asking(b"")[:12] + b"\x0cgood.example\0\0\1\0\1",  # a dot within a label
        asking(b"")[:12] + b"\x3f" * 64 * 5 + b"\0\0\1\0\1",
    ],
)
def test_a_question_that_could_be_read_in_two_ways_has_no_address(message: bytes) -> None:
    answer = question.answered(message, lambda _: pytest.fail("it was read"))
    assert code(answer) in {1, 4}
    assert answer[6:8] == b"\0\0"


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_no_message_upsets_the_resolver(noise: bytes) -> None:
    for message in (noise, asking(b"a")[:12] + noise):
        answer = question.answered(message, lambda _: (question.NO_ERROR, IPv4Address("198.18.0.1")))
        assert not answer or answer[2] & 0x80


@pytest.mark.parametrize(
    ("rules", "host", "ports"),
    [
        (["a.example:8443", "a.example:80"], "a.example", (80, 8443)),
        (["a.example"], "a.example", COMMON),
        (["*.example:443", "a.b.example:99"], "a.b.example", (99, 443)),
        (["*.example:443"], "example", ()),
        (["*.example", "deny a.example"], "a.example", ()),
        (["a.example", "deny a.example:22"], "a.example", (80, 443)),
        (["a.example:443", "deny a.example:443 POST"], "a.example", (443,)),
        (["a.example:80 GET"], "a.example", (80,)),
    ],
)
def test_a_name_is_waited_for_on_the_ports_of_its_rules(rules: list[str], host: str, ports: tuple[int, ...]) -> None:
    assert compiled(rules).ports(host) == ports


def test_a_silent_client_that_is_refused_hears_of_it_at_once(proxy: Running, server: Server) -> None:
    place = lookup(proxy, b"good.example")
    proxy.rules.clear()
    began = time.monotonic()
    with socket.create_connection((place, server.port), timeout=5) as client:
        assert client.recv(10) == b""
    assert time.monotonic() - began < 2


def test_what_cannot_be_written_down_is_not_answered_nor_connected(proxy: Running, server: Server) -> None:
    place = lookup(proxy, b"good.example")
    proxy.full = True
    assert code(ask(proxy, asking(b"evil.example"))) == FAILED
    assert said((place, server.port), b"\0\1") == b""
    assert proxy.say(connect(f"good.example:{server.port}"), b"\0\1") == b""
    assert server.got == []
