"""What profiles make of several lists is what the proxy then decides: all that either allows, or what both do."""

from typing import cast

import pytest
from aisbx.api.options import Options, to_request
from aisbx.errors import UsageError
from aisbx.profiles import rules
from aisbx.profiles.allowing import allowing
from aisbx.profiles.indexes import INDEXES
from aisbx_egress.rules import Request, compiled, parse, spelled
from hypothesis import given, settings
from hypothesis import strategies as st

from .test_rules import RULES

MORE = (
    "*.a.org GET /v1/*",
    "x.a.org POST|PUT",
    "x.a.org:80 GET",
    "*.org:80",
    "a.org /v1/x",
    "*.a.org",
    "a.org:443 GET",
)
lists = st.lists(st.sampled_from((*RULES, *MORE)), max_size=5, unique=True)
REQUESTS = [
    Request(host, port, method, path)
    for host in ("a.org", "x.a.org", "y.x.a.org", "b.org", "c.org", "10.0.0.1")
    for port in (80, 443)
    for method, path in (("", ""), ("GET", "/v1/x"), ("GET", "/secret"), ("POST", "/v1/x"), ("PUT", "/v1/y"))
]


def allowed(texts: tuple[str, ...] | list[str]) -> set[Request]:
    decide = compiled(texts).decide
    return {request for request in REQUESTS if decide(request).allowed}


def denied(texts: list[str]) -> set[Request]:
    decide = compiled(texts).decide
    return {request for request in REQUESTS if decide(request).reason == "a rule denies it"}


@settings(max_examples=300, deadline=None)
@given(lists, lists)
def test_a_union_allows_what_either_does_and_neither_denies(a: list[str], b: list[str]) -> None:
    assert allowed(rules.union(a, b)) == (allowed(a) | allowed(b)) - denied(a) - denied(b)
    assert rules.union(a, b) == rules.union(b, a)
    assert allowed(rules.union(a, a)) == allowed(a)


@settings(max_examples=300, deadline=None)
@given(lists, lists)
def test_an_intersection_allows_nothing_that_one_of_them_does_not(a: list[str], b: list[str]) -> None:
    assert allowed(rules.intersection(a, b)) <= allowed(a) & allowed(b)
    assert rules.intersection(a, b) == rules.intersection(b, a)
    assert allowed(rules.intersection(a, a)) == allowed(a)


@settings(max_examples=300, deadline=None)
@given(lists, lists)
def test_what_is_included_is_allowed_there_too(a: list[str], b: list[str]) -> None:
    assert rules.included(a, a)
    if rules.included(a, b):
        assert allowed(a) <= allowed(b)


def test_rules_that_exclude_each_other_are_not_decided_by_a_wider_one() -> None:
    both = rules.intersection(["*.org", "x.org GET"], ["*.org", "x.org POST"])
    assert both == ("*.org", "deny x.org")
    assert rules.intersection(["*.org", "deny x.org"], ["x.org"]) == ("deny x.org", "x.org")


@pytest.mark.parametrize("text", [*RULES, *MORE])
def test_a_rule_has_one_spelling_and_it_is_the_proxys(text: str) -> None:
    assert spelled(parse(str(rules.parse(text)))) == str(rules.parse(text))


@pytest.mark.parametrize(
    "text", ["a.org get", "a.org GET,POST", "a.org /x y", "a.org /a/../b", "a.org /x?y", "deny", "@pipy"]
)
def test_what_is_no_rule_is_refused_before_there_is_a_proxy(text: str) -> None:
    with pytest.raises(UsageError, match="--network: '"):
        allowing([text], "--network")


def test_an_index_stands_for_its_hosts() -> None:
    assert allowing(["@pypi", "a.org"], "x").allow == ("a.org", *INDEXES["pypi"])
    with pytest.raises(UsageError, match="it allows nothing"):
        allowing(["deny a.org"], "x")


def test_a_programs_rules_are_those_of_the_command_line() -> None:
    made = to_request({"allow": ["*.a.org GET", "deny x.a.org"]}).network
    assert made is not None
    assert made.allow == ("*.a.org GET", "deny x.a.org")
    for wrong in ({"allow": "a.org"}, {"allow": ["http://a.org"]}, {"allow": ["a.org"], "network": "none"}):
        with pytest.raises(UsageError, match="allow"):
            to_request(cast("Options", wrong))
