"""The documents of profiles and settings are complete, and what they show is accepted."""

import re
from pathlib import Path

import pytest
from aisbx import settings
from aisbx.inputs import Inputs
from aisbx.profiles import ProfileText, parse_profile
from aisbx.profiles.schema import FOREIGN, ProfileFile
from aisbx.settings.model import ProjectModel, SettingsModel
from aisbx.toolchains import TOOLCHAINS
from aisbx.types import LIMITS, Profile

from tests.core.world import World

DOCS = Path(__file__).parents[3] / "docs"
PROFILES = (DOCS / "profiles.md").read_text()
SETTINGS = (DOCS / "settings.md").read_text()


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def parsed(text: str) -> Profile:
    return parse_profile(ProfileText("doc", text, "doc.yaml", "docs"), Inputs({"HOME": "/home/me"}))[0]


def test_every_profile_that_the_document_shows_is_accepted() -> None:
    shown = blocks(PROFILES, "yaml")
    assert len(shown) == 2
    assert [parsed(text).restriction for text in shown] == [False, True]


def test_the_documents_first_profile_shows_every_limit() -> None:
    assert parsed(blocks(PROFILES, "yaml")[0]).limits.keys() == LIMITS.keys()


@pytest.mark.parametrize("key", sorted(ProfileFile.model_fields))
def test_every_key_of_a_profile_is_documented(key: str) -> None:
    assert re.search(rf"^{key}:|`{key}`", PROFILES, re.MULTILINE)
    assert key not in FOREIGN


@pytest.mark.parametrize(
    "field", ["limits", "network", "workspace", "mounts", "environment", "path", "toolchains", "secrets"]
)
def test_every_field_has_its_row_in_the_table_of_composition(field: str) -> None:
    assert re.search(rf"^\| `{field}` \|", PROFILES, re.MULTILINE)


@pytest.mark.parametrize("name", sorted(TOOLCHAINS))
def test_every_toolchain_is_documented(name: str) -> None:
    assert f"`{name}` is, in this order" in PROFILES


def test_the_settings_that_the_document_shows_are_accepted(world: World) -> None:
    (shown,) = blocks(SETTINGS, "toml")
    world.config(shown)
    assert settings.load(world.environ, None, world.inputs()).profile == "python-dev"


@pytest.mark.parametrize("key", sorted(SettingsModel.model_fields))
def test_every_setting_is_documented(key: str) -> None:
    (shown,) = blocks(SETTINGS, "toml")
    assert re.search(rf"^{key} =|^\[{key}[].]", shown, re.MULTILINE)


@pytest.mark.parametrize("key", sorted(ProjectModel.model_fields))
def test_every_key_of_a_project_has_its_row(key: str) -> None:
    assert re.search(rf"^\| `{key}` \|", SETTINGS, re.MULTILINE)
