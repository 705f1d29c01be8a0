"""Attacks on answers: nothing of a secret comes back to the sandbox, in whatever form and pieces a server shows it.

Each is tried twice: on the proxy, and on one that covers nothing, where it must get through.
"""

import base64
import gzip
import json
import ssl
import threading
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from aisbx_egress import redact

from .secure import OTHER, VALUE, World
from .test_secrets import AUTH, BEARER, GET, SECRET, SIZED

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


def _sized(body: bytes) -> list[bytes]:
    return [SIZED % len(body), body]


# What a server makes of the secret that it got, in pieces → the form in which it must not arrive.
ANSWERS: dict[str, tuple[list[bytes], bytes]] = {
    "as it is": (_sized(b"you said " + SECRET + b"!"), SECRET),
    "a byte at a time": ([SIZED % len(SECRET), *(bytes([byte]) for byte in SECRET)], SECRET),
    "a chunk for each byte": ([CHUNKED, *(b"1\r\n%c\r\n" % byte for byte in SECRET), b"0\r\n\r\n"], SECRET),
    "after what looks like it": (_sized(SECRET[:5] + SECRET), SECRET),
    "until the connection ends": ([OK + b"\r\n", SECRET[:7], SECRET[7:]], SECRET),
    "in a field": ([OK + b"Set-Cookie: k=" + SECRET + b"\r\nContent-Length: 0\r\n\r\n"], SECRET),
    "in the name of a field": ([OK + b"X-an0ther-va1ue-0f-all: x\r\nContent-Length: 0\r\n\r\n"], OTHER.encode()),
    "in the reason": ([b"HTTP/1.1 200 " + SECRET + b"\r\nContent-Length: 0\r\n\r\n"], SECRET),
    "in a redirect": ([b"HTTP/1.1 302 Found\r\nLocation: https://evil.example/" + SECRET + b"\r\n\r\n"], SECRET),
    "before the answer": ([b"HTTP/1.1 103 Early Hints\r\nLink: " + SECRET + b"\r\n\r\n", *_sized(b"x")], SECRET),
    "in a trailer": ([CHUNKED + b"1\r\nx\r\n0\r\nX: " + SECRET + b"\r\n\r\n"], SECRET),
    "beside a chunk's size": ([CHUNKED + b"1;x=" + SECRET + b"\r\nx\r\n0\r\n\r\n"], SECRET),
    "percent-encoded": (_sized(quote(VALUE, safe="").encode()), quote(VALUE, safe="").encode()),
    "in base64": (_sized(base64.b64encode(SECRET)), base64.b64encode(SECRET)[:-4]),
    "within base64, one further": (_sized(base64.b64encode(b"1" + SECRET)), base64.b64encode(b"1" + SECRET)[4:-4]),
    "within base64, two further": (_sized(base64.b64encode(b"12" + SECRET)), base64.b64encode(b"12" + SECRET)[4:-4]),
    "within base64 for addresses": (
        _sized(base64.urlsafe_b64encode(b"Bearer " + SECRET)),
        base64.urlsafe_b64encode(b"Bearer " + SECRET)[12:-4],
    ),
    "in hexadecimal": (_sized(SECRET.hex().encode()), SECRET.hex().encode()),
    "in JSON": (_sized(json.dumps({"key": VALUE}).replace("/", "\\/").encode()), VALUE.replace("/", "\\/").encode()),
    "in JSON, as Go writes it": (
        _sized(VALUE.replace("&", "\\u0026").encode()),
        VALUE.replace("&", "\\u0026").encode(),
    ),
    "in JSON, as .NET writes it": (
        _sized(VALUE.replace("&", "\\u0026").replace("+", "\\u002B").encode()),
        VALUE.replace("&", "\\u0026").replace("+", "\\u002B").encode(),
    ),
    "in HTML, as Go writes it": (
        _sized(VALUE.replace("&", "&amp;").replace("+", "&#43;").encode()),
        VALUE.replace("&", "&amp;").replace("+", "&#43;").encode(),
    ),
    "another one": (_sized(OTHER.encode()), OTHER.encode()),
}
COMPRESSED = gzip.compress(SECRET)
# Answers in which nothing could be found, or that lead around the proxy: none of their bytes arrive.
UNREADABLE = {
    "compressed": [OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(COMPRESSED), COMPRESSED],
    "compressed, it says, by the secret": [OK + b"Content-Encoding: " + SECRET + b"\r\nContent-Length: 1\r\n\r\nx"],
    "another protocol": [b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n" + SECRET],
    "two lengths": [OK + b"Content-Length: 3\r\nContent-Length: 20\r\n\r\n" + SECRET],
    "a length and chunks": [OK + b"Content-Length: 20\r\nTransfer-Encoding: chunked\r\n\r\n" + SECRET],
    "another coding": [OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + SECRET],
    "no HTTP": [b"\0\0\x12\4\0\0\0\0\0" + SECRET],
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_does_not_bring_a_secret_back(world: World, name: str) -> None:
    pieces, form = ANSWERS[name]
    world.good.answering = lambda _: pieces
    answer = world.ask(GET + BEARER + b"\r\n")
    assert form not in _plain(answer)
    assert form not in answer
    assert answer.startswith(b"HTTP/1.1 ")
    assert not world.reasons()


@pytest.mark.parametrize("name", [name for name in ANSWERS if name not in {"in a trailer", "beside a chunk's size"}])
def test_and_brings_it_back_where_nothing_is_covered(world: World, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redact.Cover, "take", lambda _, data: data)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    monkeypatch.setattr(redact.Cover, "flush", lambda _: b"")  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    pieces, form = ANSWERS[name]
    world.good.answering = lambda _: pieces
    assert form.lower() in _plain(world.ask(GET + BEARER + b"\r\n")).lower()


@pytest.mark.parametrize("name", UNREADABLE)
def test_an_answer_that_cannot_be_looked_through_is_refused(world: World, name: str) -> None:
    world.good.answering = lambda _: UNREADABLE[name]
    answer = world.ask(GET + AUTH + b"Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 403 Refused by aisbx: ")
    assert SECRET not in answer
    assert COMPRESSED not in answer
    assert b"upgrade" not in world.good.got[0].lower()
    assert world.reasons()


def test_what_is_cut_off_is_not_taken_for_whole(world: World) -> None:
    world.good.answering = lambda _: [SIZED % 1000, b"x" * 500]
    got = b""
    with world.secure(whole=True) as client:
        client.sendall(GET.replace(b"PORT", b"%d" % world.good.port) + b"\r\n")
        with pytest.raises(ssl.SSLError, match=r"(?i)\bEOF|unexpected_eof"):  # noqa: PT012 - how often it has to be read is nobody's matter
            while more := client.recv(1 << 16):
                got += more
    assert got.endswith(b"x" * 300)  # the rest was kept back


@pytest.mark.parametrize("size", [1, 2, 3, 5, 64])
def test_covering_finds_what_is_cut_anywhere(size: int) -> None:
    texts = [b"abcabd", b"abd", b"bdxyz"]
    data = b"ababcabdxyz-abd-abcab" * 3
    whole = redact.covered(data, texts)
    assert whole == b"ab*********-***-abcab" * 3
    cover = redact.Cover(texts)
    assert b"".join(cover.take(data[at : at + size]) for at in range(0, len(data), size)) + cover.flush() == whole


def test_what_is_kept_back_does_not_tell_whether_a_guess_is_right() -> None:
    texts = [b"s3cr3t-of-20-letters", b"czNjcjN0"]
    for guess in (b"s", b"s3cr3t", b"s3cr3t-of-20-letter", b"czNj"):
        right, wrong = redact.Cover(texts), redact.Cover(texts)
        assert len(right.take(b"x" * 50 + guess)) == len(wrong.take(b"x" * 50 + b"?" * len(guess)))
        assert right.keeps
        assert len(right.flush()) == len(wrong.flush())
    cover = redact.Cover(texts)
    assert cover.take(b"data: s3cr\n\n") == b"data: s3cr\n\n"  # an event is passed on at once
    assert cover.take(b"s3cr3t-of-") + cover.flush() == b"s3cr3t-of-"
    assert cover.take(b"20-letters") + cover.flush() == b"*" * 10  # what was let by is remembered


def test_an_event_of_a_stream_comes_at_once_and_what_has_no_line_end_before_long(world: World) -> None:
    gate = threading.Event()

    def answering(_: bytes) -> Iterator[bytes]:
        yield CHUNKED + b"7\r\ndata: \n\r\n4\r\nmore\r\n"
        assert gate.wait(10)
        yield b"0\r\n\r\n"

    world.good.answering = answering
    with world.secure() as client:
        client.sendall(GET.replace(b"PORT", b"%d" % world.good.port) + BEARER + b"\r\n")
        got = b""
        while b"more" not in got:
            got += client.recv(1 << 16)
        assert b"data: " in got
        gate.set()


def _plain(answer: bytes) -> bytes:
    """Give an answer with the sizes of chunks taken out."""
    head, _, body = answer.partition(b"\r\n\r\n")
    if b"chunked" in head:
        parts = body.split(b"\r\n")
        body = b"".join(parts[1::2])
    return head + b"\r\n\r\n" + body
