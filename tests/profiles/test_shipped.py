"""The profiles that come with aisbx, loaded the way the core loads them."""

import tomllib
from pathlib import Path

import aisbx_profiles
import pytest
from aisbx.inputs import Inputs
from aisbx.profiles import ProfileText, load_profile, narrower, parse_profile
from aisbx.types import LimitStrength, Network, Profile, WorkspaceMode
from aisbx_linux.seccomp import GROUPS

SOURCE = Path(aisbx_profiles.__file__).parent
NAMES = sorted(path.stem for path in SOURCE.glob("*.yaml"))
RUNTIMES = ["base", "go-dev", "java-dev", "node-dev", "python-dev", "rust-dev", "shell"]
RESTRICTIONS = ["offline", "readonly", "strict"]


def found(name: str) -> ProfileText | None:
    text = aisbx_profiles.aisbx_profile(name)
    return None if text is None else ProfileText(name, text, f"{name}.yaml", "aisbx-profiles")


def load(*names: str) -> Profile:
    return load_profile(names, found, Inputs({"HOME": "/home/me"}))


def test_every_file_is_an_entry_point_and_the_reverse() -> None:
    project = tomllib.loads((SOURCE.parents[1] / "pyproject.toml").read_text())
    points: dict[str, str] = project["project"]["entry-points"]["aisbx.profiles"]
    assert sorted(points) == NAMES == sorted(RUNTIMES + RESTRICTIONS)
    assert set(points.values()) == {"aisbx_profiles"}


@pytest.mark.parametrize("name", ["../aisbx_profiles/base", "nope", "", "base.yaml", "a\0b", "x" * 300])
def test_another_name_is_not_ours(name: str) -> None:
    assert aisbx_profiles.aisbx_profile(name) is None


@pytest.mark.parametrize("name", NAMES)
def test_every_profile_describes_itself_and_names_groups_that_exist(name: str) -> None:
    text = found(name)
    assert text is not None
    profile, _ = parse_profile(text, Inputs({"HOME": "/home/me"}))
    assert profile.description
    assert profile.syscalls <= GROUPS.keys()
    assert profile.restriction == (name in RESTRICTIONS)


@pytest.mark.parametrize("name", RUNTIMES)
def test_no_runtime_profile_has_a_network_or_a_mount_of_the_hosts(name: str) -> None:
    profile = load(name)
    assert (profile.network, profile.mounts, profile.ceiling) == (Network(), (), None)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("restriction", RESTRICTIONS)
def test_every_restriction_narrows_every_runtime_profile(runtime: str, restriction: str) -> None:
    whole = load(f"{runtime}+{restriction}")
    assert narrower(whole, load(runtime))
    assert not narrower(load(runtime), whole)


def test_all_runtime_profiles_compose() -> None:
    assert load("+".join(NAMES)).toolchains == {"go", "java", "node", "python", "rust"}


def test_what_each_restriction_is_for() -> None:
    assert load("base+offline").ceiling == load("offline").ceiling
    ceiling = load("base+offline").ceiling
    assert ceiling is not None
    assert ceiling.network == Network()
    assert load("base+readonly").workspace_mode is WorkspaceMode.RO
    strict = load("base+strict")
    required = {name for name, limit in strict.limits.items() if limit.strength is LimitStrength.REQUIRED}
    assert required == {"wall_time", "output", "open_files", "core"}


def test_core_files_are_never_written_by_default() -> None:
    assert all(load(name).limits["core"].amount == 0 for name in RUNTIMES)


def test_each_language_opens_what_it_needs_beyond_base_and_nothing_else() -> None:
    more = {name: load(name).syscalls - {"base"} for name in RUNTIMES if name != "base"}
    assert {name: set(groups) for name, groups in more.items() if groups} == {
        "go-dev": {"netlink-route", "sanitizers"},
        "node-dev": {"netlink-route"},
        "rust-dev": {"sanitizers"},
    }
    assert all("base" in load(name).syscalls for name in RUNTIMES)


def test_only_profiles_of_languages_keep_a_cache() -> None:
    assert {name for name in NAMES if load(name).cache} == {name for name in RUNTIMES if name.endswith("-dev")}
