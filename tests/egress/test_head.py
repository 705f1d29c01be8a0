"""No two readers can differ over a request that is let by."""

from itertools import pairwise

import pytest
from aisbx_egress import head
from aisbx_egress.chunks import Chunks
from hypothesis import given
from hypothesis import strategies as st

GOOD = b"GET http://a.example/x?q HTTP/1.1\r\nHost: a.example\r\n"


def read(data: bytes) -> head.Head:
    parts = head.split(data)
    assert parts is not None
    return head.parse(parts[0])


def test_a_request_goes_on_as_the_one_of_its_connection() -> None:
    found = read(
        GOOD + b"Connection: keep-alive, X-Mine\r\nX-Mine: 1\r\nProxy-Authorization: secret\r\nAccept: */*\r\n\r\n"
    )
    assert found.destination() == ("a.example", 80, "/x?q")
    sent = found.rewritten("a.example", 80, "/x?q")
    assert sent == b"GET /x?q HTTP/1.1\r\nHost: a.example\r\naccept: */*\r\nConnection: close\r\n\r\n"


def test_a_body_keeps_its_length_or_its_chunks() -> None:
    counted = read(b"POST http://a.example/ HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\n\r\nabc")
    assert b"Content-Length: 3\r\n" in counted.rewritten("a.example", 80, "/")
    chunked = read(b"POST http://a.example/ HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: Chunked\r\n\r\n")
    assert b"Transfer-Encoding: chunked\r\n" in chunked.rewritten("a.example", 80, "/")


@pytest.mark.parametrize(
    "lines",
    [
        b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        b"Content-Length: 3\r\nContent-Length: 3\r\n",
        b"Content-Length: 3, 3\r\n",
        b"Content-Length: +3\r\n",
        b"Content-Length: 0x3\r\n",
        b"Content-Length: \r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding: identity\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: \x0bchunked\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"X: 1\r\n folded\r\n",
        b"X: 1\r\n\tfolded: 2\r\n",
        b"X: 1\nTransfer-Encoding: chunked\r\n",
        b"X: 1\rTransfer-Encoding: chunked\r\n",
        b"X: a\0b\r\n",
        b"Host: b.example\r\n",
        b"host: a.example\r\n",
        b": no name\r\n",
        b"no colon\r\n",
        b"X y: 1\r\n",
        b"\x01X: 1\r\n",
    ],
)
def test_what_a_lenient_reader_would_mend_is_refused(lines: bytes) -> None:
    with pytest.raises(head.HeadProblem):
        read(GOOD + lines + b"\r\n")


@pytest.mark.parametrize(
    "target",
    [
        "http://b.example/",
        "http://a.example@b.example/",
        "http://a.example:81/",
        "http://user@a.example/",
        "https://a.example/",
        "//a.example/",
        "/",
        "a.example",
        "http:///",
        "http://a.example\\@b.example/",
        "http://a.example#@b.example/",
        "ftp://a.example/",
        "http://a.example/#x",
        "http://a%2eexample/",
        "http://2130706433/",
        "*",
    ],
)
def test_a_target_that_names_another_host_than_host_is_refused(target: str) -> None:
    with pytest.raises(head.HeadProblem):
        read(f"GET {target} HTTP/1.1\r\nHost: a.example\r\n\r\n".encode()).destination()


@pytest.mark.parametrize(
    "line",
    [
        b"GET  http://a.example/ HTTP/1.1",
        b"GET http://a.example/ HTTP/2.0",
        b"get http://a.example/ HTTP/1.1",
        b"GET\thttp://a.example/ HTTP/1.1",
        b"GET http://a.example/ x HTTP/1.1",
        b"GET http://a.example/",
        b"",
        b" GET / HTTP/1.1",
    ],
)
def test_a_request_line_has_one_form(line: bytes) -> None:
    with pytest.raises(head.HeadProblem):
        read(line + b"\r\nHost: a.example\r\n\r\n")


def test_within_a_connection_the_host_field_is_that_of_the_connection() -> None:
    inner = read(b"GET /x HTTP/1.1\r\nHost: A.example.\r\n\r\n")
    assert inner.inner("a.example", 80) == "/x"
    with pytest.raises(head.HeadProblem):
        inner.inner("b.example", 80)
    for target in (b"http://b.example/", b"b.example:443"):
        with pytest.raises(head.HeadProblem):
            read(b"GET " + target + b" HTTP/1.1\r\nHost: a.example\r\n\r\n").inner("a.example", 80)
    with pytest.raises(head.HeadProblem):
        read(b"GET / HTTP/1.0\r\n\r\n").inner("a.example", 80)


def test_a_head_without_end_is_given_up() -> None:
    assert head.split(b"GET / HTTP/1.1\r\nX: 1\r") is None
    with pytest.raises(head.HeadProblem):
        head.split(b"A" * (head.MOST + 1))


BODY = b"5\r\nhello\r\n1F\r\n" + b"x" * 31 + b"\r\n0\r\n\r\n"


@given(st.lists(st.integers(min_value=1, max_value=len(BODY)), max_size=8))
def test_chunks_end_where_they_end_however_they_are_cut(cuts: list[int]) -> None:
    chunks, data = Chunks(), BODY + b"GET / HTTP/1.1\r\n"
    places = [0, *sorted(cuts), len(data)]
    passed = b"".join(chunks.take(data[a:b]) for a, b in pairwise(places))
    assert (passed, chunks.done) == (BODY, True)


@pytest.mark.parametrize(
    "body",
    [
        b"5;ext=1\r\nhello\r\n",
        b"5\nhello\n",
        b"-1\r\n",
        b"+5\r\nhello\r\n",
        b"0x5\r\nhello\r\n",
        b"5\r\nhello!\r\n",
        b"\r\n5\r\n",
        b"0\r\nTrailer: x\r\n\r\n",
        b"g\r\n",
        b" 5\r\n",
        b"5 \r\nhello\r\n",
        b"fffffffffffff\r\n",
    ],
)
def test_a_chunk_that_could_be_read_otherwise_is_refused(body: bytes) -> None:
    with pytest.raises(head.HeadProblem):
        Chunks().take(body)
