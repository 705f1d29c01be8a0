"""What servers have nothing for is told, with its path, by each of the ways in which a request is seen."""

import pytest

from .conftest import Running, Server
from .secure import World
from .test_direct import lookup, said
from .test_proxy import connect
from .test_secrets import BEARER, GET

NOTHING = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


def missing(running: Running) -> list[tuple[object, object, object]]:
    rows = [event.data for event in running.events if event.kind == "egress.missing"]
    return [(row["via"], row["host"], row["path"]) for row in rows]


def test_the_path_is_told_however_the_request_came_and_nothing_of_what_comes_after_it(proxy: Running) -> None:
    web = Server(b"HTTP/1.1 100 Continue\r\n\r\n" + NOTHING, after=b"\r\n\r\n")
    proxy.rules += [f"good.example:{web.port}", f"127.0.0.1:{web.port}"]
    place = f"good.example:{web.port}"
    head = f" HTTP/1.1\r\nHost: {place}\r\n\r\n".encode()
    assert proxy.say(f"GET http://{place}/a?key=K".encode() + head).endswith(NOTHING)
    assert proxy.say(connect(place), b"GET /b?key=K" + head).endswith(NOTHING)
    assert said((lookup(proxy, b"good.example"), web.port), b"GET /c?key=K" + head).endswith(NOTHING)
    web.listener.close()
    ways = ["http", "connect", "direct"]
    assert missing(proxy) == [(via, "good.example", path) for via, path in zip(ways, ("/a", "/b", "/c"), strict=True)]


@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK", b"HTTP/1.1 401 No", b"HTTP/1.1 503 Busy", b"404 is no answer"])
def test_another_answer_is_not(proxy: Running, answer: bytes) -> None:
    web = Server(answer + b"\r\nContent-Length: 0\r\n\r\n" + NOTHING, after=b"\r\n\r\n")
    place = f"127.0.0.1:{web.port}"
    proxy.rules.append(place)
    assert proxy.say(f"GET http://{place}/a HTTP/1.1\r\nHost: {place}\r\n\r\n".encode()).startswith(answer)
    web.listener.close()
    assert missing(proxy) == []


def test_what_is_read_for_its_secrets_is_seen_too(world: World) -> None:
    world.good.answering = lambda _: [NOTHING]
    assert world.ask(GET + BEARER + b"\r\n").startswith(b"HTTP/1.1 404")
    assert missing(world.running) == [("connect", "good.example", "/v1/x")]


def test_a_path_that_a_rule_does_not_have_is_told_and_that_of_a_host_that_none_has_is_not(proxy: Running) -> None:
    proxy.rules[0] = "good.example:1 GET /open/*"
    for host in ("good.example", "evil.example"):
        request = f"GET http://{host}:1/shut?key=K HTTP/1.1\r\nHost: {host}:1\r\n\r\n"
        assert b" 403 " in proxy.say(request.encode())
    refused = [event.data for event in proxy.events if event.kind == "egress.refused"]
    assert [(row["host"], row.get("path")) for row in refused] == [("good.example", "/shut"), ("evil.example", None)]
