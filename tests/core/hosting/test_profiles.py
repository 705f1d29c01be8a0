"""The profiles that a host's clients may name."""

import pytest
from aisbx.errors import PolicyError
from aisbx.hosting.profiles import offer
from aisbx.types import Principal

ANYBODY, BOUND = Principal("key:one"), Principal("key:two", profile="shell")


@pytest.mark.parametrize("asked", ["", "shell", "go-dev", "offline", "shell+strict", "go-dev+offline+readonly"])
def test_what_is_offered_is_taken_with_restrictions_on_top(asked: str) -> None:
    offer(ANYBODY, "shell", ["go-dev"]).check(asked, "mcp.profile")


@pytest.mark.parametrize("asked", ["python-dev", "shell+python-dev", "offline+python-dev", "SHELL", "shell "])
def test_anything_else_is_denied(asked: str) -> None:
    with pytest.raises(PolicyError, match=r"^mcp\.profile: this server does not offer"):
        offer(ANYBODY, "shell", ["go-dev"]).check(asked, "mcp.profile")


def test_a_principal_with_a_profile_has_that_one_and_what_narrows_it() -> None:
    offered = offer(BOUND, "python-dev", ["go-dev"])
    assert (offered.usual, offered.names) == ("shell", {"shell"})
    assert [offered.completed(one) for one in ("", "offline", "shell", "shell+strict")] == [
        "",
        "shell+offline",
        "shell",
        "shell+strict",
    ]
    with pytest.raises(PolicyError):
        offered.check("python-dev", "rest.profile")
