"""The name in a handshake is found however it is cut up, and what hides or doubles it is refused."""

import contextlib
import ssl

import pytest
from aisbx_egress import hello
from hypothesis import given
from hypothesis import strategies as st


def client_hello(name: str | None = "a.example") -> bytes:
    """Give the first flight of a real client."""
    context = ssl.create_default_context()
    context.check_hostname = name is not None
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    connection = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        connection.do_handshake()
    return outgoing.read()


WHOLE = client_hello()


def records(message: bytes, size: int) -> bytes:
    cut = [message[at : at + size] for at in range(0, len(message), size)]
    return b"".join(b"\x16\x03\x01" + len(part).to_bytes(2) + part for part in cut)


def made(extensions: bytes) -> bytes:
    body = b"\x03\x03" + bytes(32) + b"\0" + b"\0\x02\x13\x01" + b"\x01\0" + len(extensions).to_bytes(2) + extensions
    return records(b"\x01" + len(body).to_bytes(3) + body, 1 << 14)


def named(*names: bytes) -> bytes:
    entries = b"".join(b"\0" + len(name).to_bytes(2) + name for name in names)
    data = len(entries).to_bytes(2) + entries
    return b"\0\0" + len(data).to_bytes(2) + data


@given(st.integers(min_value=16, max_value=2000))
def test_a_name_is_found_over_any_number_of_records(size: int) -> None:
    assert hello.read(records(WHOLE[5:], size)) == hello.Hello("a.example")


def test_nothing_is_decided_before_the_message_is_whole() -> None:
    assert all(hello.read(WHOLE[:size]) is None for size in range(len(WHOLE)))
    assert hello.read(WHOLE + b"early data") == hello.Hello("a.example")
    assert hello.read(client_hello(None)) == hello.Hello("")


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n",
        b"\x16\x02\x01\0\x05hello",
        b"\x17" + WHOLE[1:],
        b"\x16\x03\x01\0\0" + WHOLE,
        records(b"\x02" + WHOLE[6:], 100),
        records(WHOLE[5:] + b"x", 1 << 14),
        records(WHOLE[5:], 4),
        made(named(b"a.example", b"b.example")),
        made(named(b"a.example") + named(b"b.example")),
        made(named()),
        made(named("ä".encode())),
        made(b"\xfe\x0d\0\x01\0" + named(b"a.example")),
        made(named(b"a.example")[:-1]),
        made(b"\0\0\0\x05\0\x03\x01\0\0"),
        b"\x16\x03\x01\x40\0\x01\xff\xff\xff" + bytes(1 << 16),
    ],
)
def test_what_hides_or_doubles_the_name_is_refused(data: bytes) -> None:
    with pytest.raises(hello.HelloProblem):
        hello.read(data)


def test_those_that_are_made_here_would_be_read_otherwise() -> None:
    assert hello.read(made(named(b"a.example"))) == hello.Hello("a.example")


@given(st.binary(max_size=300), st.integers(min_value=0, max_value=len(WHOLE)))
def test_no_bytes_do_anything_but_be_read_or_refused(noise: bytes, at: int) -> None:
    with contextlib.suppress(hello.HelloProblem):
        hello.read(WHOLE[:at] + noise)
