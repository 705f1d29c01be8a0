"""What every profile owes: subclass `ProfileContract`, give the fixture `profile_name`, run pytest."""

import pytest

from aisbx.errors import ProfileError
from aisbx.inputs import Inputs
from aisbx.plugins import Plugins
from aisbx.profiles import ProfileText, load_profile, narrower, parse_profile
from aisbx.testing.whole import Contract, names_of_tests
from aisbx.types import Limit, Profile

_HOME = "/home/somebody"


class ProfileContract(Contract, contract=True):
    """A profile is data: it is found by name, reads without an error, and composes.

    class TestAcme(ProfileContract):
        @pytest.fixture
        def profile_name(self):
            return "acme-dev"
    """

    @pytest.fixture
    def profile_name(self) -> str:
        """Give the profile's name; the one thing that an author must write."""
        pytest.fail(f"{type(self).__name__} gives no fixture `profile_name`")

    @pytest.fixture
    def plugins(self) -> Plugins:
        """Give what is installed here."""
        return Plugins()

    def test_one_distribution_offers_the_profile(self, profile_name: str, plugins: Plugins) -> None:
        """Its name stands in the metadata of one distribution, and of no other."""
        rows = [row for row in plugins.table() if (row.kind, row.name) == ("profile", profile_name)]
        assert len(rows) == 1, f"offered by {[row.distribution for row in rows] or 'nobody'}"
        assert rows[0].usable, rows[0].reason

    def test_the_hook_gives_the_text_of_this_profile_and_of_no_other(self, profile_name: str, plugins: Plugins) -> None:
        """None for a name that is not its own, or one profile would hide another's absence."""
        text = plugins.get("profile", profile_name)
        assert text.strip()
        assert plugins.get("profile", profile_name) == text, "the text differs from one call to the next"
        module = next(row.value for row in plugins.table() if (row.kind, row.name) == ("profile", profile_name))
        hook = getattr(_plugin(module), "aisbx_profile")  # noqa: B009  (a hook, not an attribute we know)
        assert hook("no-such-profile-anywhere") is None

    def test_the_text_keeps_the_schema(self, profile_name: str, plugins: Plugins) -> None:
        """Every key is known and every amount reads; the error names file, line and key."""
        profile, _ = parse_profile(_text(plugins, profile_name), _inputs())
        assert profile.name == profile_name
        assert profile.description, "a profile says in a line what it is for"

    def test_the_profile_loads_with_all_that_it_extends(self, profile_name: str, plugins: Plugins) -> None:
        """What it extends is installed as well, and nothing contradicts."""
        assert profile_name in _load(plugins, profile_name).name.split("+")

    def test_composing_the_profile_with_itself_changes_nothing(self, profile_name: str, plugins: Plugins) -> None:
        """A lattice: `p+p` is `p`."""
        once, twice = _load(plugins, profile_name), _load(plugins, f"{profile_name}+{profile_name}")
        assert narrower(once, twice)
        assert narrower(twice, once)

    @pytest.mark.parametrize("restriction", ["offline", "readonly", "strict"])
    def test_a_restriction_has_the_last_word(self, profile_name: str, plugins: Plugins, restriction: str) -> None:
        """However the profile is made, composing it with a restriction gives nothing more; order does not matter."""
        if restriction not in plugins.names("profile"):
            pytest.fail("the kit composes with the profiles of aisbx-profiles: pip install aisbx-profiles")
        alone = _load(plugins, profile_name)
        restricted = _load(plugins, f"{profile_name}+{restriction}")
        assert narrower(restricted, alone)
        other = _load(plugins, f"{restriction}+{profile_name}")
        assert narrower(other, restricted)
        assert narrower(restricted, other)

    def test_the_profile_names_no_place_of_its_authors_machine(self, profile_name: str, plugins: Plugins) -> None:
        """Mounts lie in the system's places or below the user's own home, whoever that is."""
        profile = _load(plugins, profile_name)
        strange = [
            mount.source
            for mount in profile.mounts
            if mount.source.startswith(("/home/", "/root", "/Users/")) and not mount.source.startswith(_HOME + "/")
        ]
        assert not strange

    def test_limits_are_amounts_that_a_command_can_live_with(self, profile_name: str, plugins: Plugins) -> None:
        """None is negative, and only core files may have none at all."""
        limits: dict[str, Limit] = dict(_load(plugins, profile_name).limits)
        assert all(limit.amount > 0 for name, limit in limits.items() if name != "core")


ProfileContract.TESTS = names_of_tests(ProfileContract)


def _plugin(value: str) -> object:
    from importlib.metadata import EntryPoint

    return EntryPoint("profile", value, "aisbx.profiles").load()


def _inputs() -> Inputs:
    """Read nothing of this machine's environment but a home that is nobody's."""
    return Inputs({"HOME": _HOME})


def _text(plugins: Plugins, name: str) -> ProfileText:
    return ProfileText(name, plugins.get("profile", name), f"{name}.yaml", "installed")


def _load(plugins: Plugins, names: str) -> Profile:
    def lookup(name: str) -> ProfileText | None:
        return _text(plugins, name) if name in plugins.names("profile") else None

    try:
        return load_profile([names], lookup, _inputs())
    except ProfileError as error:
        pytest.fail(f"{names}: {error.message} ({error.hint})")
