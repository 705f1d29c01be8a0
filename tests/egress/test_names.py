"""Every spelling of a destination is brought to one, or refused."""

import pytest
from aisbx_egress import names
from hypothesis import given
from hypothesis import strategies as st

SPELLED = {
    "PyPI.Example": "pypi.example",
    "pypi.example.": "pypi.example",
    "xn--bcher-kva.example": "xn--bcher-kva.example",
    "127.0.0.1": "127.0.0.1",
    "::ffff:127.0.0.1": "127.0.0.1",
    "[::FFFF:7f00:1]": "127.0.0.1",
    "2001:DB8:0::1": "2001:db8::1",
    "_srv.example": "_srv.example",
}
REFUSED = (
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "127.1",
    "0177.0.0.1",
    "127.0.0.1.",
    "0x",
    "1.2.3.4.5",
    "a..example",
    "example..",
    ".",
    "-",
    "-a.example",
    "bücher.example",
    "a.example%00",
    "user@a.example",
    "a.example/x",
    "a.example:80",
    "[127.0.0.1]",
    "[a.example]",
    "fe80::1%eth0",
    "::1%25lo",
    "*.example",
    "a。example",
    "\uff41.example",
)


@pytest.mark.parametrize(("text", "host"), SPELLED.items())
def test_a_host_has_one_spelling(text: str, host: str) -> None:
    assert names.host(text) == host


@pytest.mark.parametrize(
    "text", [*REFUSED, "", " a", "a\0.example", "a\r\n.example", "a\n", "a" * 64, "a." * 127 + "a", "İ.example"]
)
def test_what_could_be_read_in_two_ways_is_no_host(text: str) -> None:
    with pytest.raises(names.NameProblem):
        names.host(text)


@pytest.mark.parametrize(
    "text", ["a:", "a:0", "a:65536", "a:080", "a:+80", "a:8 0", "a:٨", "::1:80", "[::1]80", "[::1", "a:1:2"]
)
def test_an_authority_has_one_host_and_one_port(text: str) -> None:
    with pytest.raises(names.NameProblem):
        names.authority(text)


def test_an_address_of_ipv6_has_its_port_after_the_bracket() -> None:
    assert names.authority("[::1]:443") == ("::1", 443)
    assert names.authority("a.example", 80) == ("a.example", 80)


@given(st.text(max_size=80))
def test_a_spelling_is_its_own_spelling(text: str) -> None:
    try:
        found = names.host(text)
    except names.NameProblem:
        return
    assert names.host(found) == found
    assert found.isascii()
    assert not set(found) & set("\0\r\n @%/\\?#*")
