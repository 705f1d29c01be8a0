from importlib.metadata import entry_points

import pytest
from aisbx.testing import ProfileContract

OURS = sorted(point.name for point in entry_points(group="aisbx.profiles") if point.value == "aisbx_profiles")


class TestProfiles(ProfileContract):
    @pytest.fixture(params=OURS)
    def profile_name(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)


def test_the_contract_is_run_for_every_profile_that_is_named() -> None:
    assert {
        "base",
        "go-dev",
        "java-dev",
        "node-dev",
        "offline",
        "python-dev",
        "readonly",
        "rust-dev",
        "shell",
        "strict",
    } <= set(OURS)
