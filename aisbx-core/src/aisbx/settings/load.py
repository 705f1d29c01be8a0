"""From files and variables to `Settings`, each value with its origin."""

import os
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from aisbx import repository, trust
from aisbx.errors import ConfigError, TrustError
from aisbx.inputs import Inputs
from aisbx.paths import config_dir, own_dirs, read_own
from aisbx.settings import environ as variables
from aisbx.settings import toml
from aisbx.settings.model import IN_TABLE, Context, ProjectSettings, Settings

Table = dict[str, Any]
Origins = dict[tuple[str, ...], str]
_Model = TypeVar("_Model", bound=BaseModel)

FILE = "config.toml"


def load(environ: Mapping[str, str], project: str | None, inputs: Inputs) -> Settings:
    """Read the user's file, the environment and, where `project` is a directory, its `aisbx.toml`.

    ConfigError names file, line and key of what is unknown or of the wrong type; TrustError what a project says that
    only the user may say.
    """
    inputs.bind(environ)
    table, origins = _user(inputs)
    settings = _validated(Settings, table, {})
    found = repository.read(os.path.realpath(project), inputs) if project else None
    trusted = found is not None and trust.is_trusted(found, inputs)
    untrusted = ProjectSettings()
    if found is not None and repository.FILE in found.files:
        said, lines = _project(found)
        if trusted:
            more = said.model_dump(exclude_unset=True)
            if "policies" in more:  # policies narrow, so a project can add to the user's but not drop them
                more["policies"] = [*settings.policies, *(set(more["policies"]) - set(settings.policies))]
            _merge(table, more, origins, lines)
            settings = _validated(Settings, table, {})
        else:
            untrusted = said
            _only_narrows(said, settings, os.path.join(found.directory, repository.FILE))
    every = {".".join(path): "default" for path, _ in _leaves(settings.model_dump())}
    every |= {".".join(path): origin for path, origin in origins.items()}
    return settings.with_context(Context(every, found, trusted, untrusted, own_dirs(inputs)))


def _user(inputs: Inputs) -> tuple[Table, Origins]:
    file = config_dir(inputs) / FILE
    table: Table = {}
    origins: Origins = {}
    data = read_own(file, inputs)
    if data is not None:
        document, lines = toml.parse(data, str(file))
        said = {path: f"{file}:{line}" for path, line in lines.items()}
        _validated(Settings, document, {path: (str(file), line) for path, line in lines.items()}, strict=True)
        _merge(table, document, origins, said)
    known = frozenset(Settings.model_fields)
    present = inputs.env_prefix(variables.PREFIX)
    document, names = variables.parse(present, known)
    _validated(Settings, document, {path: (name, 0) for path, name in names.items()})
    _merge(table, document, origins, {path: f"environment {name}" for path, name in names.items()})
    if disabled := variables.split(present.get(variables.DISABLE, "")):
        plugins = table.setdefault("plugins", {})
        plugins["disable"] = [*plugins.get("disable", []), *disabled]
        origins["plugins", "disable"] = f"environment {variables.DISABLE}"
    return table, origins


def _project(found: repository.RepositoryInput) -> tuple[ProjectSettings, Origins]:
    file = os.path.join(found.directory, repository.FILE)
    document, lines = toml.parse(found.files[repository.FILE], file)
    for key in document:
        if key in Settings.model_fields and key not in ProjectSettings.model_fields:
            raise TrustError(
                f"{file}:{lines.get((key,), 1)}: {key}: a project cannot set this",
                hint=f"remove it; your own settings are in $XDG_CONFIG_HOME/aisbx/{FILE}",
            )
    said = _validated(ProjectSettings, document, {path: (file, line) for path, line in lines.items()}, strict=True)
    return said, {path: f"{file}:{line} (trusted)" for path, line in lines.items()}


def _only_narrows(said: ProjectSettings, settings: Settings, file: str) -> None:
    """Refuse at once what can't be a restriction; profile and limits are compared where the profile is known."""
    if said.driver and said.driver != settings.driver:
        raise TrustError(f"{file}: driver: another driver than yours ({settings.driver})", hint=trust.REMEDY)
    if new := [name for name in said.policies if name not in settings.policies]:
        raise TrustError(f"{file}: policies: would load {', '.join(new)}", hint=trust.REMEDY)


def _merge(table: Table, more: Mapping[str, Any], origins: Origins, lines: Mapping[tuple[str, ...], str]) -> None:
    """Lay one table over another, key by key; lists replace each other."""
    for path, value in _leaves(more):
        target = table
        for part in path[:-1]:
            target = target.setdefault(part, {})
        target[path[-1]] = value
        origins[path] = next((lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in lines), "")


def _leaves(table: Mapping[str, Any], path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    rows: list[tuple[tuple[str, ...], Any]] = []
    for key, value in table.items():
        if isinstance(value, dict):
            rows += _leaves(value, (*path, key))  # pyright: ignore[reportUnknownArgumentType]
        else:
            rows.append(((*path, key), value))
    return rows


def _validated(
    model: type[_Model], table: Table, lines: Mapping[tuple[str, ...], tuple[str, int]], *, strict: bool = False
) -> _Model:
    try:
        return model.model_validate(table, strict=strict)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        inner = first.get("ctx", {}).get("key") if first["type"] == IN_TABLE else None
        path = (*map(str, first["loc"]), *([str(inner)] if inner else []))
        file, line = next((lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in lines), ("", 0))
        message = {"extra_forbidden": "there is no such setting"}.get(first["type"], first["msg"])
        message = message.removeprefix("Value error, ")
        raise ConfigError(message, file=file, line=line, key=".".join(path), hint="see docs/settings.md") from error
