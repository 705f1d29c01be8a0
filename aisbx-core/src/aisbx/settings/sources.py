"""The places that settings come from, each a source for pydantic-settings that knows where every value stands."""

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import PydanticBaseSettingsSource

from aisbx import repository
from aisbx.errors import ConfigError, TrustError
from aisbx.inputs import Inputs
from aisbx.paths import config_dir, read_own
from aisbx.settings import environ as variables
from aisbx.settings import toml
from aisbx.settings.model import IN_TABLE, ProjectModel, SettingsModel
from aisbx.settings.values import FILE, Path, Settings, leaves

Table = dict[str, Any]
Lines = Mapping[Path, tuple[str, int]]
"""Key → the file or variable that says it, and its line (0: it has none)."""

_Said = TypeVar("_Said")


class Source(PydanticBaseSettingsSource):
    """A table that is valid by itself, and the origin of each of its values."""

    def __init__(self, table: Table, origins: Mapping[Path, str]) -> None:
        """Keep them; `origins` may name a table for all that is in it."""
        super().__init__(SettingsModel)
        self.table = table
        self.origins = {path: _nearest(path, origins, "") for path, _ in leaves(table)}

    def __call__(self) -> Table:
        """Give all that this place says."""
        return self.table

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Give what this place says of one setting."""
        del field
        return self.table.get(field_name), field_name, False


class UserFile(Source):
    """The user's `config.toml`."""

    def __init__(self, inputs: Inputs) -> None:
        """Read and validate it; ConfigError with file, line and key."""
        file = config_dir(inputs) / FILE
        data = read_own(file, inputs)
        if data is None:
            super().__init__({}, {})
            return
        table, lines = toml.parse(data, str(file))
        with _told({path: (str(file), line) for path, line in lines.items()}):
            SettingsModel.validate_alone(table, strict=True)
        super().__init__(table, {path: f"{file}:{line}" for path, line in lines.items()})


class Environment(Source):
    """`AISBX_*` variables of the environment that `inputs` is bound to."""

    def __init__(self, inputs: Inputs, weaker: Source) -> None:
        """Read them; ConfigError names the variable. AISBX_DISABLE_PLUGINS adds to what `weaker` disables."""
        present = inputs.env_prefix(variables.PREFIX)
        table, names = variables.parse(present, frozenset(SettingsModel.model_fields))
        with _told({path: (name, 0) for path, name in names.items()}):
            SettingsModel.validate_alone(table, strict=False)
        origins = {path: f"environment {name}" for path, name in names.items()}
        if disabled := variables.split(present.get(variables.DISABLE, "")):
            plugins: Table = table.setdefault("plugins", {})  # pyright: ignore[reportAssignmentType]
            before = plugins.get("disable", weaker.table.get("plugins", {}).get("disable", []))
            plugins["disable"] = [*before, *disabled]
            origins["plugins", "disable"] = f"environment {variables.DISABLE}"
        super().__init__(table, origins)


class Project(Source):
    """A project's `aisbx.toml`, from the bytes that were hashed. A source only of what the user has trusted."""

    def __init__(self, found: repository.RepositoryInput) -> None:
        """Validate it; TrustError for what no project may say, ConfigError (file, line, key) for what is wrong."""
        self.file = os.path.join(found.directory, repository.FILE)
        table, lines = toml.parse(found.files[repository.FILE], self.file)
        for key in table:
            if key in SettingsModel.model_fields and key not in ProjectModel.model_fields:
                raise TrustError(
                    f"{self.file}:{lines.get((key,), 1)}: {key}: a project cannot set this",
                    hint=f"remove it; your own settings are in $XDG_CONFIG_HOME/aisbx/{FILE}",
                )
        with _told({path: (self.file, line) for path, line in lines.items()}):
            self.said = ProjectModel.model_validate(table, strict=True).values()
        super().__init__(table, {path: f"{self.file}:{line} (trusted)" for path, line in lines.items()})

    def add_to(self, settings: Settings) -> None:
        """Make its policies an addition to the user's: policies narrow, so a project can't drop any."""
        if "policies" in self.table:
            self.table["policies"] = list(dict.fromkeys([*settings.policies, *self.said.policies]))


@contextmanager
def _told(lines: Lines) -> Generator[None]:
    """Turn pydantic's error into a ConfigError that says where the wrong value stands."""
    try:
        yield
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        inner = first.get("ctx", {}).get("key") if first["type"] == IN_TABLE else None
        path = (*map(str, first["loc"]), *([str(inner)] if inner else []))
        file, line = _nearest(path, lines, ("", 0))
        message = {"extra_forbidden": "there is no such setting"}.get(first["type"], first["msg"])
        message = message.removeprefix("Value error, ")
        raise ConfigError(message, file=file, line=line, key=".".join(path), hint="see docs/settings.md") from error


def _nearest(path: Path, table: Mapping[Path, _Said], otherwise: _Said) -> _Said:
    """Give what is said of this path or of the nearest table around it."""
    return next((table[path[:end]] for end in range(len(path), 0, -1) if path[:end] in table), otherwise)
