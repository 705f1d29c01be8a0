"""Which sources count, and for how much: the user's file and variables always, a project's file as far as it may."""

import os
from collections.abc import Mapping

from aisbx import repository, trust
from aisbx.errors import TrustError
from aisbx.inputs import Inputs
from aisbx.paths import own_dirs
from aisbx.settings.model import Context, ProjectSettings, Settings
from aisbx.settings.sources import Environment, Project, Source, UserFile, leaves


def load(environ: Mapping[str, str], project: str | None, inputs: Inputs) -> Settings:
    """Read the user's file, the environment and, where `project` is a directory, its `aisbx.toml`.

    ConfigError names file, line and key of what is unknown or of the wrong type; TrustError what a project says that
    only the user may say.
    """
    inputs.bind(environ)
    file = UserFile(inputs)
    sources: list[Source] = [Environment(inputs, file), file]
    settings = Settings.read_from(*sources)
    found = repository.read(os.path.realpath(project), inputs) if project else None
    trusted = found is not None and trust.is_trusted(found, inputs)
    untrusted = ProjectSettings()
    if found is not None and repository.FILE in found.files:
        theirs = Project(found)
        if trusted:
            theirs.add_to(settings)
            sources.insert(0, theirs)
            settings = Settings.read_from(*sources)
        else:
            untrusted = theirs.said
            _only_narrows(untrusted, settings, theirs.file)
    return settings.with_context(Context(_origins(settings, sources), found, trusted, untrusted, own_dirs(inputs)))


def _origins(settings: Settings, sources: list[Source]) -> dict[str, str]:
    said = {path: origin for source in reversed(sources) for path, origin in source.origins.items()}
    return {".".join(path): said.get(path, "default") for path, _ in leaves(settings.model_dump())}


def _only_narrows(said: ProjectSettings, settings: Settings, file: str) -> None:
    """Refuse at once what can't be a restriction; profile and limits are compared where the profile is known."""
    if said.driver and said.driver != settings.driver:
        raise TrustError(f"{file}: driver: another driver than yours ({settings.driver})", hint=trust.REMEDY)
    if new := [name for name in said.policies if name not in settings.policies]:
        raise TrustError(f"{file}: policies: would load {', '.join(new)}", hint=trust.REMEDY)
