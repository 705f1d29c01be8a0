"""Which rule decides: a `deny`, then the most specific, and nothing by default."""

from dataclasses import replace
from itertools import islice, permutations

import pytest
from aisbx.profiles import hosts
from aisbx_egress.rules import Request, Rules, compiled, parse, spelled
from hypothesis import given
from hypothesis import strategies as st

HOSTS = ("a.org", "x.a.org", "y.x.a.org", "b.org", "10.0.0.1", "org")
RULES = (
    *(
        "a.org",
        "*.a.org",
        "*.x.a.org",
        "x.a.org:80",
        "*.org:443",
        "10.0.0.1:80",
        "b.org GET",
        "b.org:80 GET|HEAD /v1/*",
    ),
    *("deny y.x.a.org", "deny *.a.org:443", "deny b.org POST", "deny a.org /secret*"),
)
requests = st.builds(
    Request,
    st.sampled_from(HOSTS),
    st.sampled_from((80, 443, 22)),
    st.sampled_from(("", "GET", "POST")),
    st.just("/v1/x"),
)
lists = st.lists(st.sampled_from(RULES), max_size=6, unique=True)


def decide(rules: list[str], host: str, port: int, method: str = "", path: str = "") -> str:
    decision = compiled(rules).decide(Request(host, port, method, path))
    return decision.rule if decision.allowed else f"not {decision.rule}".strip()


def test_nothing_is_allowed_by_default() -> None:
    assert decide([], "a.org", 443) == "not"
    assert decide(["a.org:443"], "a.org", 80) == "not"


def test_a_wildcard_is_every_name_below_and_not_the_name_itself() -> None:
    assert decide(["*.a.org"], "x.a.org", 443) == "*.a.org"
    assert decide(["*.a.org"], "y.x.a.org", 443) == "*.a.org"
    for other in ("a.org", "xa.org", "a.org.evil.example"):
        assert decide(["*.a.org"], other, 443) == "not"


def test_a_deny_wins_over_everything() -> None:
    assert decide(["x.a.org:443", "deny *.org"], "x.a.org", 443) == "not deny *.org"


def test_the_most_specific_of_those_that_allow_decides() -> None:
    rules = ["*.org", "*.a.org", "x.a.org", "x.a.org:80"]
    assert decide(rules, "x.a.org", 80) == "x.a.org:80"
    assert decide(rules, "x.a.org", 443) == "x.a.org"
    assert decide(rules, "z.a.org", 443) == "*.a.org"
    assert decide(rules, "b.org", 443) == "*.org"


def test_a_specific_rule_narrows_a_wide_one() -> None:
    rules = ["*.org", "api.a.org:80 GET /v1/*"]
    assert decide(rules, "api.a.org", 80, "GET", "/v1/x?q=1") == "api.a.org:80 GET /v1/*"
    assert decide(rules, "api.a.org", 80, "POST", "/v1/x") == "not api.a.org:80 GET /v1/*"
    assert decide(rules, "api.a.org", 80, "GET", "/v2") == "not api.a.org:80 GET /v1/*"


def test_a_tunnel_hides_what_a_rule_asks_for() -> None:
    assert decide(["a.org GET"], "a.org", 443) == "not a.org GET"
    assert decide(["a.org", "deny a.org POST"], "a.org", 443) == "not deny a.org POST"
    assert decide(["a.org", "deny a.org POST"], "a.org", 80, "GET", "/") == "a.org"


@pytest.mark.parametrize(
    "path", ["/v1/../admin", "/v1/%2e%2e/admin", "/v1//x", "/v1/%2Fx", "/v1/x\\y", "/v1/.", "/v1/;x", "/v1/%252e"]
)
def test_a_path_that_servers_read_in_several_ways_fits_no_rule_with_a_path(path: str) -> None:
    assert decide(["a.org GET /v1/*"], "a.org", 80, "GET", path) == "not a.org GET /v1/*"
    assert decide(["a.org", "deny a.org /admin*"], "a.org", 80, "GET", path) == "not deny a.org /admin*"
    assert decide(["a.org"], "a.org", 80, "GET", path) == "a.org"


@pytest.mark.parametrize("path", ["/admin/x", "/%61dmin/x", "/a%64%6din", "/ADMIN", "/%41dmin/x"])
def test_a_path_that_is_denied_is_so_in_any_spelling(path: str) -> None:
    assert decide(["a.org", "deny a.org /admin*"], "a.org", 80, "GET", path) == "not deny a.org /admin*"
    assert decide(["a.org /v1/*"], "a.org", 80, "GET", f"/v1{path}") == "a.org /v1/*"


def test_a_field_that_asks_for_another_method_or_path_is_refused_where_a_rule_asks_for_one() -> None:
    asked = Request("a.org", 80, "GET", "/v1/x", "x-original-url")
    for rules in (["a.org GET /v1/*"], ["a.org", "deny a.org /admin*"]):
        decision = compiled(rules).decide(asked)
        assert not decision.allowed
        assert "the field x-original-url asks for another method or path" in decision.reason
        assert compiled(rules).decide(replace(asked, otherwise="")).allowed
    assert compiled(["a.org"]).decide(asked).allowed


@given(lists, requests)
def test_the_order_of_rules_means_nothing(rules: list[str], request: Request) -> None:
    first, *others = [compiled(order).decide(request) for order in islice(permutations(rules), 24)]
    assert all(other.allowed == first.allowed for other in others)
    assert not first.allowed or {other.rule for other in others} <= {first.rule}


@given(lists, st.sampled_from(RULES), requests)
def test_a_deny_only_narrows(rules: list[str], denied: str, request: Request) -> None:
    denied = denied if denied.startswith("deny ") else f"deny {denied}"
    if compiled([*rules, denied]).decide(request).allowed:
        assert compiled(rules).decide(request).allowed


@given(st.sampled_from(RULES))
def test_a_rule_is_read_back_from_its_spelling(text: str) -> None:
    assert parse(spelled(parse(text))) == parse(text)


@given(st.sampled_from([rule for rule in RULES if " " not in rule]), requests)
def test_a_rule_means_what_it_means_to_profiles(text: str, request: Request) -> None:
    theirs = hosts.covers(hosts.parse(text), hosts.Rule(request.host, request.port))
    assert Rules((parse(text),)).decide(request).allowed == theirs


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "*.",
        "a.org GET /x /y",
        "a.org get",
        "a.org /x GET",
        "deny",
        "a.org  GET",
        "http://a.org",
        "a.org:",
        "*.10.0.0.1",
        "a.org /a/../b",
        "a.org /x?y",
        "a.org /%61*",
        "a.org:0",
        "bücher.example",
        "deny deny a.org",
        "a.org\n",
        "*.*.org",
        "a.*.org",
    ],
)
def test_what_is_no_rule_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="'"):
        parse(text)


@pytest.mark.parametrize(("text", "host", "port"), [("[::1]:80", "::1", 80), ("::1", "::1", 0), ("[::1]", "::1", 0)])
def test_an_address_is_named_with_and_without_a_port(text: str, host: str, port: int) -> None:
    assert (parse(text).host, parse(text).port) == (host, port)
