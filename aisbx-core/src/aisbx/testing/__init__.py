"""The contract kit: how an author proves a plugin. Needs pytest (`pip install aisbx-core[testing]`).

    from aisbx.testing import DriverContract

    class TestAcme(DriverContract):
        @pytest.fixture
        def driver(self):
            return AcmeDriver({})

`docs/plugins.md` walks through it. A test's id carries the id of the control that it attacks.
"""

import pytest

for _module in (
    "behaviour.background",
    "behaviour.commands",
    "behaviour.files",
    "behaviour.forks",
    "behaviour.layers",
    "behaviour.lifetimes",
    "behaviour.pausing",
    "behaviour.publishing",
    "behaviour.reports",
    "behaviour.servers",
    "behaviour.streams",
    "contract",
    "profile",
    "secrets",
    "whole",
):
    pytest.register_assert_rewrite(f"aisbx.testing.{_module}")

from aisbx.testing.attack import Attack, Result  # noqa: E402  (assertions are rewritten at import)
from aisbx.testing.attacks import ATTACKS  # noqa: E402
from aisbx.testing.contract import DriverContract  # noqa: E402
from aisbx.testing.profile import ProfileContract  # noqa: E402
from aisbx.testing.secrets import SecretsContract, Store  # noqa: E402

__all__ = ["ATTACKS", "Attack", "DriverContract", "ProfileContract", "Result", "SecretsContract", "Store"]
