"""Which sources count, and for how much: the user's file and variables always, a project's file as far as it may."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from aisbx import repository, trust
from aisbx.errors import TrustError
from aisbx.inputs import Inputs
from aisbx.paths import config_dir, own_dirs, read_own
from aisbx.repository import RepositoryInput
from aisbx.settings.environ import PREFIX
from aisbx.settings.values import FILE, Context, ProjectSettings, Settings, leaves

if TYPE_CHECKING:
    from aisbx.settings.sources import Source


def load(environ: Mapping[str, str], project: str | None, inputs: Inputs) -> Settings:
    """Read the user's file, the environment and, where `project` is a directory, its `aisbx.toml`.

    ConfigError names file, line and key of what is unknown or of the wrong type; TrustError what a project says that
    only the user may say.
    """
    inputs.bind(environ)
    mine = read_own(config_dir(inputs) / FILE, inputs) is not None or bool(inputs.env_prefix(PREFIX))
    found = repository.read(os.path.realpath(project), inputs) if project else None
    trusted = found is not None and trust.is_trusted(found, inputs)
    said = found if found is not None and repository.FILE in found.files else None
    settings, untrusted, sources = Settings(), ProjectSettings(), []
    if mine or said:  # else there is nothing to validate, and the validator takes longer to import than a run
        settings, untrusted, sources = _read(inputs, said, trusted=trusted)
    return replace(settings, context=Context(_origins(settings, sources), found, trusted, untrusted, own_dirs(inputs)))


def _read(
    inputs: Inputs, said: RepositoryInput | None, *, trusted: bool
) -> "tuple[Settings, ProjectSettings, list[Source]]":
    """Give the settings, what of a project's file may only narrow, and the sources that counted."""
    from aisbx.settings.model import SettingsModel
    from aisbx.settings.sources import Environment, Project, UserFile

    file = UserFile(inputs)
    sources: list[Source] = [Environment(inputs, file), file]
    settings = SettingsModel.read_from(*sources).values()
    if said is None:
        return settings, ProjectSettings(), sources
    theirs = Project(said)
    if not trusted:
        _only_narrows(theirs.said, settings, theirs.file)
        return settings, theirs.said, sources
    theirs.add_to(settings)
    sources.insert(0, theirs)
    return SettingsModel.read_from(*sources).values(), ProjectSettings(), sources


def _origins(settings: Settings, sources: "Sequence[Source]") -> dict[str, str]:
    told = {path: origin for source in reversed(sources) for path, origin in source.origins.items()}
    return {".".join(path): told.get(path, "default") for path, _ in leaves(settings.as_table())}


def _only_narrows(said: ProjectSettings, settings: Settings, file: str) -> None:
    """Refuse at once what can't be a restriction; profile and limits are compared where the profile is known."""
    if said.driver and said.driver != settings.driver:
        raise TrustError(f"{file}: driver: another driver than yours ({settings.driver})", hint=trust.REMEDY)
    if new := [name for name in said.policies if name not in settings.policies]:
        raise TrustError(f"{file}: policies: would load {', '.join(new)}", hint=trust.REMEDY)
