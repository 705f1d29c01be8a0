"""The kit's attacks on an allow-list find what they look for where a rule lets them, and prove nothing without it."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from aisbx.admission import unmet
from aisbx.doctor import SAMPLE
from aisbx.plugins import Plugins
from aisbx.testing import ATTACKS, DriverContract
from aisbx.testing.scene import Scene
from aisbx.testing.specs import with_allowlist
from aisbx.testing.ways import opened, perform
from aisbx.types import Driver, Level, Network, NetworkMode, SandboxSpec
from aisbx_linux.local.enforce import Facts, enforcement


@pytest.fixture(scope="module")
def bwrap(tmp_path_factory: pytest.TempPathFactory) -> Driver:
    cache = tmp_path_factory.mktemp("cache")
    cache.chmod(0o700)
    return Plugins().get("driver", "bwrap", {"cache_dir": str(cache)})


def naming(*rules: str, instead: bool = False) -> Callable[[Scene, SandboxSpec], SandboxSpec]:
    def shape(scene: Scene, spec: SandboxSpec) -> SandboxSpec:
        scene.rules = rules if instead else (*scene.rules, *rules)
        return with_allowlist(scene, spec)

    return shape


@pytest.mark.parametrize("name", ["proxied", "name"])
def test_an_attack_through_the_proxy_works_where_a_rule_names_the_target(bwrap: Driver, name: str) -> None:
    attack = replace(ATTACKS[f"net:allowlist/{name}"], shape=naming("127.0.0.1"))
    result = perform(attack, opened(bwrap), DriverContract.python)
    assert result.breached, result.what


@pytest.mark.parametrize("name", ["tcp", "udp", "interfaces"])
def test_an_attack_on_an_allow_list_that_lets_nothing_by_proves_nothing(bwrap: Driver, name: str) -> None:
    attack = replace(ATTACKS[f"net:allowlist/{name}"], shape=naming("other.example:443", instead=True))
    result = perform(attack, opened(bwrap), DriverContract.python)
    assert result.breached is None
    assert "what a rule names is not reached" in result.what


@pytest.mark.parametrize(
    ("network", "level", "missing"),
    [
        (Network(), Level.FULL, False),
        (Network(NetworkMode.OPEN), Level.NONE, False),
        (Network(NetworkMode.ALLOWLIST, ("a.example:443",)), Level.NONE, True),
    ],
)
def test_an_allow_list_that_nobody_holds_is_not_claimed_and_is_refused(
    network: Network, level: Level, *, missing: bool
) -> None:
    spec = replace(SAMPLE, network=network)
    report = enforcement(spec, Facts())
    assert report["net:allowlist"].level is level
    assert ("net:allowlist" in [state.control for state in unmet(spec, report)]) == missing
