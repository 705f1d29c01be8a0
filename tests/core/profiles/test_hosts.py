import pytest
from aisbx.profiles import hosts
from hypothesis import given
from hypothesis import strategies as st

from tests.core.profiles.strategies import RULES

lists = st.lists(st.sampled_from(RULES), max_size=4)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("Example.ORG", "example.org"),
        ("example.org.", "example.org"),
        ("example.org:443", "example.org:443"),
        ("*.example.org", "*.example.org"),
        ("10.0.0.1:80", "10.0.0.1:80"),
        ("[::1]:80", "[::1]:80"),
        ("::1", "::1"),
        ("0:0:0:0:0:0:0:1", "::1"),
        ("localhost", "localhost"),
    ],
)
def test_a_rule_has_one_way_to_be_written(text: str, canonical: str) -> None:
    assert str(hosts.parse(text)) == canonical
    assert hosts.parse(canonical) == hosts.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "*.",
        "a*.org",
        "*.*.org",
        "http://a.org",
        "a.org/path",
        "a.org:",
        "[::1]:",
        "[::1]x",
        "a.org:0",
        "a.org:65536",
        "a.org:8_0",
        "a.org:+80",
        "a.org:٨٠",  # digits of another script
        "a.org\0.evil.org",
        "a b",
        "user@a.org",
        "-a.org",
        "a..org",
        "0x7f.1",
        "127.1",
        "2130706433",
        "x" * 64 + ".org",
    ],
)
def test_what_parsers_could_read_differently_is_no_rule(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not|has no"):
        hosts.parse(text)


def test_a_wildcard_covers_names_below_but_not_the_name_itself() -> None:
    assert hosts.included(["a.org"], ["a.org"])
    assert hosts.included(["x.a.org", "y.x.a.org:80", "*.x.a.org"], ["*.a.org"])
    assert not hosts.included(["a.org"], ["*.a.org"])
    assert not hosts.included(["xa.org"], ["*.a.org"])
    assert not hosts.included(["a.org"], ["a.org:443"])


def test_what_two_rules_have_in_common_can_be_a_third() -> None:
    assert hosts.intersection(["*.a.org:443"], ["x.a.org"]) == ("x.a.org:443",)


@given(lists, lists)
def test_an_intersection_is_in_both_and_a_union_contains_both(a: list[str], b: list[str]) -> None:
    common = hosts.intersection(a, b)
    assert hosts.included(common, a)
    assert hosts.included(common, b)
    assert hosts.included(a, hosts.union(a, b))


@given(st.sampled_from(RULES), lists, lists)
def test_an_intersection_leaves_out_nothing_that_is_in_both(rule: str, a: list[str], b: list[str]) -> None:
    if hosts.included([rule], a) and hosts.included([rule], b):
        assert hosts.included([rule], hosts.intersection(a, b))
