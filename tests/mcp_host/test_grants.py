"""A client's user is asked for one host more: with a yes a command that runs reaches it, without one nothing does."""

from collections.abc import Iterator

import pytest
from mcp.types import ElicitResult

from tests.mcp_host.conftest import Home, connected
from tests.mcp_host.serving import Served, serving
from tests.mcp_host.test_approval import ERAS, YES, User, called

NO = ElicitResult(action="decline")
RULES = {era: f"127.0.0.{2 + number}:9" for number, era in enumerate(ERAS)}
"""Nobody listens there: what is not refused by the proxy is by the host."""
OTHER = "127.0.0.9:9"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("grants"))


@pytest.fixture(scope="module")
def served(home: Home) -> Iterator[Served]:
    options = ("--profile", "shell", "--network", "allow=other.example:443", "--ask-for-hosts", "--no-auth")
    with serving(home, *options) as found:
        yield found


def fetch(place: str) -> str:
    return f"curl -sS --max-time 5 --noproxy none http://{place}/"


def granted(home: Home, rule: str) -> list[str]:
    return [row["host"] for row in home.audit() if row["kind"] == "egress.grant" and row["egress"]["rule"] == rule]


@pytest.mark.parametrize("era", ERAS)
def test_a_yes_lets_a_running_command_reach_one_host_more(era: str, served: Served, home: Home) -> None:
    rule = RULES[era]
    loop = f"until {fetch(rule)} 2>&1 | grep -q 'Connection refused'; do sleep 0.1; done; echo reached"
    told = called(served, era, None, "run_command", command=loop, yield_s=0.3)[1]
    process = told.partition("as process ")[2].partition(";")[0]
    user = User(NO, YES)
    failed, told = called(served, era, user, "network_grant", rule=rule, reason="to fetch \x1b[2Jdata")
    assert failed
    assert "the user said no" in told
    assert granted(home, rule) == []
    failed, told = called(served, era, user, "network_grant", rule=rule, reason="to fetch data")
    assert not failed, told
    assert f"may reach {rule} for 10 minutes" in user.questions[0]
    assert "\\x1b[2Jdata" in user.questions[0]
    assert "reached" in called(served, era, None, "process_output", process=process, wait_s=20)[1]
    assert granted(home, rule) == ["mcp"]


def test_nobody_to_ask_no_rule_and_a_rule_that_denies_grant_nothing(served: Served, home: Home) -> None:
    failed, told = called(served, "legacy", None, "network_grant", rule=OTHER, reason="x")
    assert failed
    assert "nobody is here to be asked" in told
    assert "aisbx grant mcp-" in told
    for wrong in ("http://a.example/", "deny a.example"):
        assert called(served, "legacy", User(YES), "network_grant", rule=wrong, reason="x")[0]
    assert granted(home, OTHER) == []


def test_a_server_that_asks_for_no_hosts_grants_none_whoever_would_say_yes(home: Home) -> None:
    with connected(home, "--profile", "shell", "--network", "allow=other.example:443") as client:
        assert "asks nobody for more hosts" in client.refused("network_grant", rule=OTHER, reason="x")
        assert "no rule allows it" in client.call("run_command", command=fetch(OTHER))
