"""Attacks on secrets that the proxy puts in: no server gets one that is not meant.

Each attack is tried twice: on the proxy, and on one without the check that is to stop it, where it must get through.
"""

import base64
import contextlib
import ssl
from dataclasses import replace

import pytest
from aisbx_egress import inject, terminate
from aisbx_egress.authority import Issuer
from aisbx_egress.peer import ClosedError
from aisbx_egress.rules import Request
from aisbx_egress.secure import Secure

from .secure import ANY, KEY, OTHER, VALUE, World, authority_for, secrets

SECRET = VALUE.encode()
BASIC = base64.b64encode(b"me:" + SECRET)
SIZED = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
HEAD = b" HTTP/1.1\r\nHost: good.example:PORT\r\n"
BEARER = b"Authorization: Bearer " + KEY.encode() + b"\r\n"
AUTH = b"Authorization: Bearer " + ANY.encode() + b"\r\n"
GET = b"GET /v1/x" + HEAD
POST = b"POST /v1/x" + HEAD + BEARER
SECOND = b"GET /admin" + HEAD + BEARER + b"\r\n"
# What a client says in TLS to the server that may have the secret. None of these may bring it there.
REQUESTS = {
    "another path": b"GET /admin" + HEAD + BEARER + b"\r\n",
    "a path that begins alike": b"GET /v10" + HEAD + BEARER + b"\r\n",
    "dots in the path": b"GET /v1/../admin" + HEAD + BEARER + b"\r\n",
    "encoded dots in the path": b"GET /v1/%2e%2E/admin" + HEAD + BEARER + b"\r\n",
    "an encoded slash in the path": b"GET /v1/..%2fadmin" + HEAD + BEARER + b"\r\n",
    "a semicolon in the path": b"GET /v1/..;/admin" + HEAD + BEARER + b"\r\n",
    "a backslash in the path": b"GET /v1\\..\\admin" + HEAD + BEARER + b"\r\n",
    "another method": b"DELETE /v1/x" + HEAD + BEARER + b"\r\n",
    "another method by a field": b"POST /v1/x" + HEAD + BEARER + b"X-HTTP-Method-Override: DELETE\r\n\r\n",
    "another path by a field": GET + BEARER + b"X-Original-URL: /admin\r\n\r\n",
    "the address": b"GET /v1/x?key=" + KEY.encode() + HEAD + b"\r\n",
    "the path": b"GET /v1/" + KEY.encode() + HEAD + b"\r\n",
    "a field that servers show": GET + b"User-Agent: " + KEY.encode() + b"\r\n\r\n",
    "a field that servers keep": GET + b"X-Amz-Meta-Note: " + KEY.encode() + b"\r\n\r\n",
    "the name of a field": GET + KEY.encode() + b": x\r\n\r\n",
    "a folded field": GET + b"Authorization: Bearer\r\n " + KEY.encode() + b"\r\n\r\n",
    "a space before the colon": GET + b"Authorization : Bearer " + KEY.encode() + b"\r\n\r\n",
    "another Host": b"GET /v1/x HTTP/1.1\r\nHost: evil.example\r\n" + BEARER + b"\r\n",
    "two Hosts": GET + b"Host: evil.example\r\n" + BEARER + b"\r\n",
    "no Host": b"GET /v1/x HTTP/1.1\r\n" + BEARER + b"\r\n",
    "a whole target": b"GET https://evil.example/v1/x" + HEAD + BEARER + b"\r\n",
    "a whole target that is the host's": b"GET https://good.example:PORT/v1/x" + HEAD + BEARER + b"\r\n",
    "a proxy asked for another": b"CONNECT evil.example:443" + HEAD + BEARER + b"\r\n",
    "a length and chunks": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SECOND,
    "two lengths": POST + b"Content-Length: 0\r\nContent-Length: 9\r\n\r\n" + SECOND,
    "another coding": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + SECOND,
    "chunks in HTTP/1.0": POST.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SECOND,
    "a bare line feed": b"GET /v1/x HTTP/1.1\nHost: good.example:PORT\n" + BEARER.replace(b"\r", b"") + b"\n",
    "a NUL": GET + b"X: \0\r\n" + BEARER + b"\r\n",
    "HTTP/2 without asking": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SECOND,
    "a second request": GET + b"\r\n" + SECOND,
    "a second request after a body": b"POST /v1/x" + HEAD + b"Content-Length: 1\r\n\r\na" + SECOND,
    "a second request after chunks": b"POST /v1/x" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SECOND,
    "the body": b"POST /v1/x" + HEAD + b"Content-Length: 46\r\n\r\n" + KEY.encode(),
}


def test_a_secret_is_put_in_where_it_belongs_and_recorded_by_name(world: World) -> None:
    said = b"Authorization: Basic " + base64.b64encode(f"me:{KEY}".encode()) + b"\r\nX-API-Key: " + ANY.encode()
    request = b"POST /v1/x?y" + HEAD + said + b"\r\nRange: bytes=0-3\r\nAccept-Encoding: gzip\r\n"
    answer = world.ask(request + b"Content-Length: 3\r\n\r\nabc")
    (got,) = world.good.got
    assert got.startswith(b"POST /v1/x?y HTTP/1.1\r\nHost: good.example:%d\r\n" % world.good.port)
    assert b"authorization: Basic " + BASIC in got
    assert b"x-api-key: " + OTHER.encode() in got
    assert b"accept-encoding: identity" in got
    assert b"range" not in got.lower()
    assert got.endswith(b"\r\n\r\nabc")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\nabc")
    assert len(answer.partition(b"\r\n\r\n")[2]) == len(got)  # covered, byte for byte
    assert not [text for text in (SECRET, OTHER.encode(), BASIC, BASIC[4:-4]) if text in answer]
    sent = [event.data for event in world.running.events if "secrets" in event.data]
    assert [(row["method"], row["host"], row["secrets"]) for row in sent] == [
        ("POST", "good.example", ["file:key", "file:any"])
    ]


def test_a_body_and_an_answer_go_through_whole_and_as_they_come(world: World) -> None:
    body = bytes(range(256)) * 4000
    world.good.answering = lambda request: [SIZED % len(body), request.partition(b"\r\n\r\n")[2]]
    answer = world.ask(POST + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    assert answer.partition(b"\r\n\r\n")[2] == body
    pieces = b"".join(b"%x\r\n%b\r\n" % (len(body[at : at + 999]), body[at : at + 999]) for at in range(0, 9990, 999))
    world.ask(POST + b"Transfer-Encoding: chunked\r\n\r\n" + pieces + b"0\r\n\r\n")
    assert world.good.got[1].endswith(pieces + b"0\r\n\r\n")


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_that_the_secret_is_not_for_does_not_get_it(world: World, name: str) -> None:
    answer = world.ask(REQUESTS[name])
    assert SECRET not in world.got()
    assert len(world.good.got) <= 1
    assert SECRET not in answer
    if name.startswith("a second request") or name == "the body":
        assert answer.startswith(b"HTTP/1.1 200")
    else:
        assert answer.startswith(b"HTTP/1.1 403 Refused by aisbx: ")
        assert not world.good.got
        assert len(world.reasons()) == 1


@pytest.mark.parametrize("name", REQUESTS)
def test_and_gets_it_from_a_proxy_that_replaces_wherever_it_sees_a_placeholder(
    world: World, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def naive(session: object, injector: object, client: Secure, meant: Request, via: str) -> object:
        del session, injector, via
        data = await client.read()
        with contextlib.suppress(ClosedError, TimeoutError):
            while KEY.encode() not in data:
                data += await client.read()
        return terminate._Asked(
            replace(meant, method="GET"), 0, data.replace(KEY.encode(), SECRET.ljust(len(KEY))), b"", ()
        )

    monkeypatch.setattr(terminate, "_asked", naive)
    world.good.answering = lambda request: [SIZED % 0] if request else []
    world.ask(REQUESTS[name])
    assert SECRET in world.got()


def test_another_host_gets_the_placeholder_as_it_is_and_in_plain_http_nothing(world: World) -> None:
    world.good.answering = lambda _: [b"HTTP/1.1 302 Found\r\nLocation: https://evil.example/\r\n\r\n"]
    assert b"evil.example" in world.ask(GET + BEARER + b"\r\n")  # and a client follows
    trust = ssl.create_default_context()
    trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    with trust.wrap_socket(world.open("evil.example", server=world.other), server_hostname="evil.example") as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: evil.example\r\n" + BEARER + b"\r\n")
        client.recv(1 << 16)
    assert KEY.encode() in world.other.got[0]
    assert SECRET not in world.other.got[0]
    place = f"evil.example:{world.other.port}"
    plain = f"GET http://{place}/ HTTP/1.1\r\nHost: {place}\r\n".encode()
    basic = b"Authorization: Basic " + base64.b64encode(f"me:{KEY}".encode()) + b"\r\n"
    for line in (BEARER, basic):
        assert b"file:key is put in over TLS only" in world.running.say(plain + line + b"\r\n")
        with world.open("evil.example", server=world.other) as tunnel:
            tunnel.sendall(f"GET / HTTP/1.1\r\nHost: {place}\r\n".encode() + line + b"\r\n")
            assert not tunnel.recv(1 << 16)
    assert len(world.reasons()) == 4
    assert len(world.other.got) == 1


def test_the_handshake_must_name_the_host_and_be_one(world: World) -> None:
    with pytest.raises(ssl.SSLError, match=r"(?i)access.denied"):
        world.secure(name="evil.example")
    with world.open() as plain:
        plain.sendall(GET + BEARER + b"\r\n")
        assert not plain.recv(1 << 16)
    assert not world.got()
    assert world.reasons() == ["the handshake asks for 'evil.example'", "a host that gets a secret is spoken to in TLS"]


def test_a_client_that_trusts_others_only_gets_nowhere_and_it_is_said_why(world: World) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        world.secure(ssl.create_default_context())
    reason = str(world.running.await_event("egress.refused").data["reason"])
    assert "does not take the sandbox's certificate authority" in reason
    assert not world.got()


@pytest.mark.parametrize("who", ["somebody else's authority", "another name"])
def test_a_server_that_is_not_the_host_gets_nothing(world: World, who: str) -> None:
    # As whoever is on the way, or answers for the host's name, would be.
    other = Issuer(authority_for("good.example")).context("good.example")
    world.good.context = world.other.context if who == "another name" else other
    answer = world.ask(GET + BEARER + b"\r\n")
    assert b"the server's TLS: " in answer
    assert not world.got()
    assert world.reasons()


def test_the_authority_is_good_for_no_other_host() -> None:
    made = inject.authority(secrets(1))
    trust = ssl.create_default_context(cadata=made.certificate.decode())
    for name in ("good.example", "evil.example"):
        ours, theirs = ssl.MemoryBIO(), ssl.MemoryBIO()
        server = Issuer(made).context(name).wrap_bio(ours, theirs, server_side=True)
        client = trust.wrap_bio(theirs, ours, server_hostname=name)

        def shake(client: ssl.SSLObject = client, server: ssl.SSLObject = server) -> None:
            for _ in range(3):
                for side in (client, server):
                    with contextlib.suppress(ssl.SSLWantReadError):
                        side.do_handshake()

        if name == "good.example":
            shake()
            assert client.version()
        else:
            with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree"):
                shake()


def test_rules_for_methods_and_paths_hold_in_what_is_read(world: World) -> None:
    world.running.rules = [f"good.example:{world.good.port} GET /v1/*", f"127.0.0.1:{world.good.port}"]
    assert world.ask(GET + BEARER + b"\r\n").startswith(b"HTTP/1.1 200")
    assert b"allowed for other methods or paths only" in world.ask(GET.replace(b"v1", b"v2") + b"\r\n")
    assert len(world.good.got) == 1


def test_what_cannot_be_recorded_is_not_sent(world: World) -> None:
    with world.secure() as client:
        world.running.full = True
        client.sendall(GET.replace(b"PORT", b"%d" % world.good.port) + BEARER + b"\r\n")
        with contextlib.suppress(OSError):
            assert not client.recv(1 << 16)
    assert not world.got()
