import pytest
from aisbx import settings, trust
from aisbx.errors import AisbxError, ConfigError, TrustError
from aisbx.settings import Settings
from aisbx.settings.model import SettingsModel

from tests.core.world import World


def load(world: World, *, project: bool = True) -> Settings:
    return settings.load(world.environ, str(world.project) if project else None, world.inputs())


def test_without_any_file_the_defaults_hold_and_every_absence_is_noted(world: World) -> None:
    inputs = world.inputs()
    found = settings.load(world.environ, str(world.project), inputs)
    assert (found.profile, found.driver, found.lower, found.plugins.allow) == ("base", "auto", [], None)
    assert set(found.origins().values()) == {"default"}
    absent = {path for path, state, _ in inputs.paths if state is None}
    assert {str(world.home / ".config/aisbx/config.toml"), str(world.project / "aisbx.toml")} <= absent
    assert inputs.prefixes == {"AISBX_": {}}


def test_the_file_then_the_environment_and_each_value_knows_its_origin(world: World) -> None:
    file = world.config(
        """profile = "python-dev"
driver = "bwrap"
lower = ["limit:memory"]

[limits]
memory = "2G"
pids = 64

[drivers.bwrap]
path = "/opt/bwrap"
"""
    )
    world.environ |= {"AISBX_DRIVER": "null", "AISBX_LIMITS__PIDS": "32", "AISBX_LOGS__KEEP_OUTPUT": "2M"}
    found = load(world)
    assert (found.profile, found.driver, found.lower) == ("python-dev", "null", ["limit:memory"])
    assert found.limits == {"memory": 2 * 1024**3, "pids": 32}
    assert found.drivers == {"bwrap": {"path": "/opt/bwrap"}}
    assert found.logs.keep_output == 2 * 1024**2
    origins = found.origins()
    assert origins["profile"] == f"{file}:1"
    assert origins["limits.memory"] == f"{file}:6"
    assert origins["drivers.bwrap.path"] == f"{file}:10"
    assert origins["driver"] == "environment AISBX_DRIVER"
    assert origins["limits.pids"] == "environment AISBX_LIMITS__PIDS"
    assert origins["logs.keep_output"] == "environment AISBX_LOGS__KEEP_OUTPUT"
    assert origins["audit.argv"] == "default"


def test_every_setting_has_an_origin(world: World) -> None:
    keys = set(load(world).origins())
    tables = ("plugins", "audit", "logs")
    for name in SettingsModel.model_fields:
        assert any(key == name or key.startswith(f"{name}.") for key in keys) or name in {
            "limits",
            "drivers",
            "secret_settings",
            "sink_settings",
            "egress",
            "admission",
        }
    assert {f"{table}.{key}" for table in tables for key in getattr(SettingsModel(), table).model_dump()} <= keys


@pytest.mark.parametrize(
    ("text", "line", "key", "what"),
    [
        ('profile = "x"\nprofil = "y"\n', 2, "profil", "there is no such setting"),
        ("\n[plugins]\nalow = []\n", 3, "plugins.alow", "there is no such setting"),
        ("profile = 1\n", 1, "profile", "string"),
        ('[audit]\nargv = "yes"\n', 2, "audit.argv", "boolean"),
        ('policies = "one"\n', 1, "policies", "list"),
        ('lower = ["fs:all"]\n', 1, "lower", "no control 'fs:all'"),
        ('[limits]\nmemory = "lots"\n', 2, "limits.memory", "not a size"),
        ("[limits]\npids = 1\nram = 1\n", 3, "limits.ram", "no such limit"),
        ("[limits]\nmemory = true\n", 2, "limits.memory", "not an amount"),
        ("[limits]\nmemory = 0\n", 2, "limits.memory", "more than zero"),
        ("[limits]\ncpus = nan\n", 2, "limits.cpus", "not a number"),
        ("[logs]\nkeep_output = 0\n", 2, "logs.keep_output", "greater than 0"),
        ("[drivers]\nbwrap = 1\n", 2, "drivers.bwrap", "dictionary"),
    ],
)
def test_what_is_wrong_in_the_file_is_said_with_file_line_and_key(
    text: str, line: int, key: str, what: str, world: World
) -> None:
    file = world.config(text)
    with pytest.raises(ConfigError, match=what) as caught:
        load(world)
    assert (caught.value.file, caught.value.line, caught.value.key) == (str(file), line, key)
    assert str(caught.value).startswith(f"{file}:{line}: {key}: ")
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("text", "line"),
    [(b'profile = "x\n', 1), (b'a = 1\nprofile = "\xff"\n', 2), (b"profile = 1\nprofile = 2\n", 2), (b"x = [", 1)],
)
def test_what_is_no_toml_is_said_with_its_line(text: bytes, line: int, world: World) -> None:
    world.write(world.home / ".config/aisbx/config.toml", text)
    with pytest.raises(ConfigError, match="is not") as caught:
        load(world)
    assert caught.value.line == line


def test_toml_that_is_nested_without_end_is_refused(world: World) -> None:
    world.config("x = " + "[" * 20_000)
    with pytest.raises(ConfigError, match="is not TOML"):
        load(world)


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("AISBX_PROFIL", "x", "is not a setting"),
        ("AISBX_PLUGINS__ALOW", "x", "there is no such setting"),
        ("AISBX_LOWER", "fs:all", "no control"),
        ("AISBX_LIMITS__MEMORY", "x", "not a size"),
        ("AISBX_AUDIT__ARGV", "perhaps", "boolean"),
        ("AISBX_", "x", "is not a setting"),
        ("AISBX_LIMITS__", "x", "is not a setting"),
    ],
)
def test_a_variable_that_means_nothing_is_an_error_that_names_it(
    name: str, value: str, what: str, world: World
) -> None:
    world.environ[name] = value
    with pytest.raises(ConfigError, match=what) as caught:
        load(world)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_variable_that_contradicts_another_is_an_error(world: World) -> None:
    world.environ |= {"AISBX_LIMITS": "1", "AISBX_LIMITS__MEMORY": "1G"}
    with pytest.raises(ConfigError, match="contradicts"):
        load(world)


def test_lists_in_variables_are_written_with_commas(world: World) -> None:
    world.environ |= {"AISBX_PLUGINS__ALLOW": "one, two", "AISBX_LOWER": "limit:memory,limit:pids", "AISBX_SINKS": ""}
    found = load(world)
    assert found.plugins.allow == ["one", "two"]
    assert found.lower == ["limit:memory", "limit:pids"]
    assert found.sinks == []


def test_disabled_plugins_come_from_file_and_variable_together(world: World) -> None:
    world.config('[plugins]\ndisable = ["one"]\n')
    world.environ["AISBX_DISABLE_PLUGINS"] = "two,driver:three"
    assert load(world).plugins.disable == ["one", "two", "driver:three"]


@pytest.mark.parametrize("name", ["AISBX_DEBUG", "AISBX_REQUIRE"])
def test_variables_of_the_command_line_and_the_tests_are_not_settings(name: str, world: World) -> None:
    world.environ[name] = "1"
    assert load(world).profile == "base"


# What a project says


def trusting(world: World) -> Settings:
    trust.trust(str(world.project), world.inputs())
    return load(world)


@pytest.mark.parametrize(
    "text",
    [
        'lower = ["fs:protected"]',
        '[plugins]\nallow = ["evil"]',
        "[audit]\nargv = false",
        "[logs]\nkeep_output = 1",
        '[drivers.bwrap]\npath = "./evil"',
        'sinks = ["evil"]',
    ],
)
@pytest.mark.parametrize("how", [load, trusting])
def test_a_project_never_sets_what_is_the_users_trusted_or_not(text: str, how: object, world: World) -> None:
    file = world.write(world.project / "aisbx.toml", text)
    with pytest.raises(TrustError, match="a project cannot set this") as caught:
        how(world)  # type: ignore[operator]  # pyright: ignore[reportCallIssue]
    assert str(file) in caught.value.message


@pytest.mark.parametrize(("text", "key"), [('driver = "null"', "driver"), ('policies = ["evil"]', "policies")])
def test_an_untrusted_project_cannot_choose_the_driver_or_load_policies(text: str, key: str, world: World) -> None:
    world.write(world.project / "aisbx.toml", text)
    with pytest.raises(TrustError, match=f"{key}:") as caught:
        load(world)
    assert "aisbx profile trust" in caught.value.hint


def test_an_untrusted_project_may_repeat_what_the_user_has(world: World) -> None:
    world.config('driver = "bwrap"\npolicies = ["mine"]\n')
    world.write(world.project / "aisbx.toml", 'driver = "bwrap"\npolicies = ["mine"]\n')
    assert load(world).driver == "bwrap"


def test_profile_and_limits_of_an_untrusted_project_wait_until_they_can_be_compared(world: World) -> None:
    world.write(world.project / "aisbx.toml", 'profile = "open"\n[limits]\nmemory = "64M"\n')
    found = load(world)
    assert (found.profile, found.limits, found.trusted) == ("base", {}, False)
    assert (found.untrusted.profile, found.untrusted.limits) == ("open", {"memory": 64 * 1024**2})


def test_a_trusted_project_counts_and_its_origin_says_so(world: World) -> None:
    world.config('profile = "mine"\npolicies = ["mine"]\n[limits]\npids = 5\n')
    text = 'profile = "open"\ndriver = "null"\npolicies = ["theirs"]\n[limits]\nmemory = "64M"\n'
    file = world.write(world.project / "aisbx.toml", text)
    found = trusting(world)
    assert (found.profile, found.driver, found.trusted) == ("open", "null", True)
    assert found.limits == {"pids": 5, "memory": 64 * 1024**2}
    assert found.policies == ["mine", "theirs"]
    assert found.untrusted == settings.ProjectSettings()
    assert found.origins()["profile"] == f"{file}:1 (trusted)"


def test_the_bytes_that_were_hashed_are_the_ones_that_count(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    file = world.write(world.project / "aisbx.toml", 'profile = "seen"\n')
    trust.trust(str(world.project), world.inputs())
    genuine = trust.is_trusted

    def swap_after_the_check(*args: object) -> bool:
        answer = genuine(*args)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        file.write_text('profile = "unseen"\n')
        return answer

    monkeypatch.setattr(trust, "is_trusted", swap_after_the_check)
    assert load(world).profile == "seen"


@pytest.mark.parametrize("text", ["profil = 1", "profile = [", "[limits]\nmemory = 'x'", "profile = 1"])
def test_a_project_file_that_is_wrong_is_said_with_file_and_line(text: str, world: World) -> None:
    file = world.write(world.project / "aisbx.toml", text)
    with pytest.raises(ConfigError) as caught:
        load(world)
    assert caught.value.file == str(file)
    assert caught.value.line >= 1


def test_without_a_project_nothing_of_the_directory_is_read(world: World) -> None:
    world.write(world.project / "aisbx.toml", "[[[")
    assert load(world, project=False).repository is None


def test_own_directories_are_known_by_their_real_paths(world: World) -> None:
    (world.home / "real").mkdir()
    (world.home / "link").symlink_to("real")
    world.environ["XDG_STATE_HOME"] = str(world.home / "link")
    assert str(world.home / "real/aisbx") in load(world).own_dirs


def test_errors_carry_no_value_of_the_environment(world: World) -> None:
    world.environ["AISBX_DRIVERS"] = "hunter2"
    with pytest.raises(AisbxError) as caught:
        load(world)
    assert "hunter2" not in str(caught.value) + caught.value.hint


def test_a_configuration_of_somebody_else_is_not_read(world: World) -> None:
    file = world.config('lower = ["fs:protected"]\n')
    world.give_away(file)
    with pytest.raises(ConfigError, match="belongs to"):
        load(world)
