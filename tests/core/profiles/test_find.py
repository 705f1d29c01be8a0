from collections.abc import Mapping, Sequence

import pytest
from aisbx import settings, trust
from aisbx.errors import ConfigError, PluginNotFoundError, ProfileError, TrustError
from aisbx.profiles import Finder, choose
from aisbx.types import Limit, Network, Profile

from tests.core.world import World

INSTALLED = {
    "base": "limits: {memory: 1G}",
    "offline": "restriction: true\nnetwork: none",
    "big": "extends: base\nlimits: {memory: 8G}\nnetwork: open",
}


class Installed:
    def names(self, kind: str) -> list[str]:
        assert kind == "profile"
        return sorted(INSTALLED)

    def get(self, kind: str, name: str, settings: Mapping[str, object] | None = None) -> object:
        del kind, settings
        if name not in INSTALLED:
            raise PluginNotFoundError(f"no profile called {name!r} is installed")
        return INSTALLED[name]


def finder(world: World) -> Finder:
    inputs = world.inputs()
    return Finder(settings.load(world.environ, str(world.project), inputs), Installed(), inputs)


def chosen(world: World, names: Sequence[str] = ()) -> Profile:
    inputs = world.inputs()
    found = settings.load(world.environ, str(world.project), inputs)
    return choose(names, found, Finder(found, Installed(), inputs), inputs)


def accept(world: World) -> None:
    trust.trust(str(world.project), world.inputs())


def test_a_profile_of_the_users_is_found_and_its_file_noted(world: World) -> None:
    file = world.profile("mine", "extends: base\n")
    inputs = world.inputs()
    find = Finder(settings.load(world.environ, None, inputs), Installed(), inputs)
    found = find("mine")
    assert found is not None
    assert (found.text, found.file, found.origin) == ("extends: base\n", str(file), "user")
    assert str(file) in {path for path, _, _ in inputs.paths}


def test_where_a_profile_could_appear_is_noted_too(world: World) -> None:
    inputs = world.inputs()
    Finder(settings.load(world.environ, None, inputs), Installed(), inputs)("base")
    assert (str(world.home / ".config/aisbx/profiles/base.yaml"), None, True) in inputs.paths


def test_an_installed_profile_is_found(world: World) -> None:
    found = finder(world)("big")
    assert found is not None
    assert (found.text, found.origin) == (INSTALLED["big"], "installed")


def test_a_name_in_two_places_is_an_error_that_names_both(world: World) -> None:
    file = world.profile("base", "network: open\n")
    with pytest.raises(ProfileError, match=rf"{file} .user. and in base.yaml .installed."):
        finder(world)("base")


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/b", "", ".hidden", "a\0", "a\n", "x" * 65])
def test_a_name_that_is_none_never_becomes_a_path(name: str, world: World) -> None:
    world.write(world.home / ".config/aisbx/x.yaml", "network: open\n")
    with pytest.raises(ProfileError, match="not a profile's name"):
        finder(world)(name)


def test_a_users_profile_that_others_could_have_written_is_refused(world: World) -> None:
    world.profile("mine", "network: open\n").chmod(0o666)
    with pytest.raises(ConfigError, match="written by everybody"):
        finder(world)("mine")


def test_a_projects_profile_counts_only_when_trusted(world: World) -> None:
    world.write(world.project / ".aisbx/profiles/theirs.yaml", "network: open\n")
    assert "theirs" not in finder(world).names()
    with pytest.raises(TrustError, match="'theirs' is this project's own, which is not trusted") as caught:
        finder(world)("theirs")
    assert "aisbx profile trust" in caught.value.hint
    accept(world)
    found = finder(world)("theirs")
    assert found is not None
    assert found.origin == "project"
    assert finder(world).names()["theirs"] == "project"
    world.write(world.project / ".aisbx/profiles/theirs.yaml", "network: open\n# changed\n")
    with pytest.raises(TrustError):
        finder(world)("theirs")


def test_a_trusted_project_cannot_take_the_place_of_an_installed_profile(world: World) -> None:
    world.write(world.project / ".aisbx/profiles/offline.yaml", "network: open\n")
    accept(world)
    with pytest.raises(ProfileError, match="'offline' is in"):
        finder(world)("offline")


def test_an_untrusted_project_cannot_hide_an_installed_profile(world: World) -> None:
    world.write(world.project / ".aisbx/profiles/offline.yaml", "network: open\n")
    found = finder(world)("offline")
    assert found is not None
    assert found.origin == "installed"


def test_a_link_as_a_projects_profile_is_never_followed(world: World) -> None:
    world.write(world.home / "other.yaml", "network: open\n")
    (world.project / ".aisbx/profiles").mkdir(parents=True)
    (world.project / ".aisbx/profiles/theirs.yaml").symlink_to(world.home / "other.yaml")
    accept(world)
    assert finder(world)("theirs") is None


def test_names_say_where_each_profile_comes_from(world: World) -> None:
    world.profile("mine", "")
    assert finder(world).names() == {"base": "installed", "big": "installed", "mine": "user", "offline": "installed"}


# Which profile a run has


def test_the_request_then_the_users_settings_decide(world: World) -> None:
    assert chosen(world).name == "base"
    world.config('profile = "big"\n')
    assert chosen(world).name == "big"
    assert chosen(world, ["base+offline"]).name == "base+offline"
    assert chosen(world, ["offline"]).name == "big+offline"


@pytest.mark.parametrize("said", ["base+offline", "offline", "base"])
def test_an_untrusted_project_may_name_a_narrower_profile(said: str, world: World) -> None:
    world.write(world.project / "aisbx.toml", f'profile = "{said}"\n')
    found = chosen(world)
    assert (found.network or Network()) == Network()
    assert found.limits == {"memory": Limit(1024.0**3)}
    assert ("offline" in found.name) == ("offline" in said)


def test_an_untrusted_project_that_asks_for_more_is_refused_by_key_and_remedy(world: World) -> None:
    world.write(world.project / "aisbx.toml", 'profile = "big"\n')
    with pytest.raises(
        TrustError, match=r"aisbx.toml: profile: 'big' goes beyond your own 'base' in network, limits"
    ) as e:
        chosen(world)
    assert "aisbx profile trust" in e.value.hint
    accept(world)
    assert chosen(world).name == "big"


def test_what_the_user_names_counts_whatever_an_untrusted_project_says(world: World) -> None:
    world.write(world.project / "aisbx.toml", 'profile = "big"\n')
    assert chosen(world, ["base"]).name == "base"
    assert chosen(world, ["offline"]).name == "base+offline"
