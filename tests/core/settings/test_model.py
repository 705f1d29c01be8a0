"""What validates settings is pydantic-settings, with sources of our own; what holds is plain data."""

import pytest
from aisbx.errors import ConfigError
from aisbx.settings import ProjectSettings, Settings
from aisbx.settings.model import ProjectModel, SettingsModel
from aisbx.settings.sources import UserFile
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from tests.core.settings.test_load import load
from tests.core.world import World


def test_settings_are_those_of_pydantic_settings_with_sources_of_our_own(world: World) -> None:
    assert issubclass(SettingsModel, BaseSettings)
    file = UserFile(world.inputs())
    assert isinstance(file, PydanticBaseSettingsSource)
    assert SettingsModel.read_from(file).model_dump() == load(world).as_table()


def test_the_process_own_environment_is_no_source(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PROFILE", "profile", "AISBX_PROFILE", "DRIVER", "LOWER"):
        monkeypatch.setenv(name, '["fs:protected"]')
    defaults = SettingsModel.model_construct().model_dump()
    assert (SettingsModel().model_dump(), load(world).as_table()) == (defaults, defaults)


def test_sources_of_one_load_do_not_leak_into_the_next(world: World) -> None:
    world.config('profile = "mine"\n')
    assert load(world).profile == "mine"
    assert SettingsModel().profile == "base"


def test_an_origin_is_told_of_what_holds_and_of_nothing_else(world: World) -> None:
    world.config("[drivers.bwrap.extra]\nkey = 1\n")
    world.environ["AISBX_DRIVERS__BWRAP__EXTRA"] = "x"
    found = load(world)
    assert found.drivers == {"bwrap": {"extra": "x"}}
    assert found.origins()["drivers.bwrap.extra"] == "environment AISBX_DRIVERS__BWRAP__EXTRA"
    assert "drivers.bwrap.extra.key" not in found.origins()


def test_where_nothing_is_said_the_plain_data_is_what_the_validator_would_have_given() -> None:
    assert SettingsModel().values() == Settings()
    assert ProjectModel().values() == ProjectSettings()
    assert list(SettingsModel.model_fields) == list(Settings().as_table())


def test_what_one_place_says_is_validated_wherever_it_is_said(world: World) -> None:
    for say in (
        lambda: world.config("driver = 1\n"),
        lambda: world.environ.update({"AISBX_LOGS__KEEP_RUNS": "-1"}),
        lambda: (world.project / "aisbx.toml").write_text("driver = 1\n"),
    ):
        load(world)  # nothing is said, or no longer
        say()
        with pytest.raises(ConfigError):
            load(world)
        world.environ.pop("AISBX_LOGS__KEEP_RUNS", None)
        (world.home / ".config/aisbx/config.toml").unlink(missing_ok=True)
