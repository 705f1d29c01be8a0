"""What can be set, by whom, and what holds where nothing is set."""

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Annotated, Self, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from aisbx import amounts, units
from aisbx.errors import UsageError
from aisbx.repository import RepositoryInput
from aisbx.types import CONTROLS, LIMITS

IN_TABLE = "in_table"
"""Type of the errors whose context names the key."""


def _limits(written: object) -> object:
    """Turn `{memory: "4G"}` into bytes; what is not a table is left for the model to refuse."""
    if not isinstance(written, dict):
        return written
    parsed: dict[str, float] = {}
    for name, amount in cast("dict[str, object]", written).items():
        try:
            parsed[name] = _limit(name, amount)
        except ValueError as error:
            # pydantic reports where a validator stands; the key in the table is told beside it.
            raise PydanticCustomError(IN_TABLE, "{what}", {"what": str(error), "key": name}) from error
    return parsed


def _limit(name: str, amount: object) -> float:
    if name not in LIMITS:
        raise ValueError(f"there is no such limit; there are {', '.join(LIMITS)}")
    if isinstance(amount, bool) or not isinstance(amount, amounts.Written):
        raise ValueError("is not an amount; write one such as 2G or 30s")  # noqa: TRY004 - a value of the file's
    return amounts.parse(name, amount)


def _size(written: object) -> object:
    if not isinstance(written, str):
        return written
    try:
        return units.parse_size(written)
    except UsageError as error:
        raise ValueError(f"{error.message}; {error.hint}") from error


Limits = Annotated[dict[str, float], BeforeValidator(_limits)]
Size = Annotated[int, BeforeValidator(_size), Field(gt=0)]


Sources = tuple[PydanticBaseSettingsSource, ...]

# Which places the settings that are being made come from, the strongest first. By default none: pydantic-settings
# would read the process's environment, where we are told which environment counts.
_SOURCES: ContextVar[Sources] = ContextVar("aisbx_settings_sources", default=())


class _Table(BaseModel):
    # Text of the environment is validated leniently, files strictly (see `load`).
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class PluginSettings(_Table):
    """Which installed plugins may be loaded."""

    allow: list[str] | None = None
    """Names of distributions; None: all that are installed."""
    disable: list[str] = []
    """Names of plugins or distributions; AISBX_DISABLE_PLUGINS adds to it."""


class AuditSettings(_Table):
    """What the audit log records."""

    argv: bool = True
    """Record the arguments of a command, not only its program."""


class LogSettings(_Table):
    """What is kept of a run's output."""

    keep_output: Size = 1 << 20
    """Bytes of each run."""
    keep_runs: Annotated[int, Field(ge=0)] = 100
    """The newest runs whose output is kept."""


class ProjectSettings(_Table):
    """All that a project's `aisbx.toml` can say."""

    profile: str = ""
    driver: str = ""
    limits: Limits = {}
    policies: list[str] = []


@dataclass(frozen=True, slots=True)
class Context:
    """What is known of settings beside their values; see the properties of `Settings`."""

    origins: Mapping[str, str] = field(default_factory=dict[str, str])
    repository: RepositoryInput | None = None
    trusted: bool = False
    untrusted: ProjectSettings = field(default_factory=ProjectSettings)
    own_dirs: tuple[str, ...] = ()


class Settings(BaseSettings):
    """All that `config.toml` and `AISBX_*` can say; a trusted project's values are already in it."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    profile: str = "base"
    """Profiles of a run that names none, as `-p` takes them (`python-dev+offline`)."""
    driver: str = "auto"
    plugins: PluginSettings = PluginSettings()
    lower: list[str] = []
    """Ids of controls that need not hold. Never a project's to say."""
    audit: AuditSettings = AuditSettings()
    logs: LogSettings = LogSettings()
    limits: Limits = {}
    """In place of the profiles' defaults: bytes, seconds, cores and counts, as in `aisbx.types.LIMITS`."""
    drivers: dict[str, dict[str, object]] = {}
    """Each driver's own table."""
    policies: list[str] = []
    sinks: list[str] = []

    _context: Context = PrivateAttr(default=Context())

    @field_validator("lower")
    @classmethod
    def _known(cls, ids: list[str]) -> list[str]:
        for name in ids:
            if name not in CONTROLS:
                raise ValueError(f"there is no control {name!r}; `aisbx doctor` lists them")
        return ids

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> Sources:
        """Take the sources of `read_from` in place of pydantic-settings' own, which say neither line nor variable."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings, *_SOURCES.get())

    @classmethod
    def read_from(cls, *sources: PydanticBaseSettingsSource) -> Self:
        """Merge sources, the strongest first; tables key by key, everything else as a whole."""
        token = _SOURCES.set(sources)
        try:
            return cls()
        finally:
            _SOURCES.reset(token)

    @classmethod
    def validate_alone(cls, table: Mapping[str, object], *, strict: bool) -> None:
        """Validate what one source says, before it is merged; pydantic's ValidationError says where it is wrong."""
        # Not `model_validate`: for settings that asks the sources again, and forgets `strict` on the way.
        cls.__pydantic_validator__.validate_python(table, strict=strict, self_instance=cls.model_construct())

    def with_context(self, context: Context) -> "Settings":
        """Give the same settings with what is known beside them."""
        known = self.model_copy()
        known._context = context  # noqa: SLF001 - its own class
        return known

    def origins(self) -> dict[str, str]:
        """Say where each value comes from: dotted key → `default`, `FILE:LINE` or `environment NAME`."""
        return dict(self._context.origins)

    @property
    def repository(self) -> RepositoryInput | None:
        """What the project's repository says (`aisbx.toml`, `.aisbx/`), if anything."""
        return self._context.repository

    @property
    def trusted(self) -> bool:
        """Whether the user has trusted that content."""
        return self._context.trusted

    @property
    def untrusted(self) -> ProjectSettings:
        """What a project says that is not trusted: `aisbx.profiles.choose` and `resolve` let it narrow only."""
        return self._context.untrusted

    @property
    def own_dirs(self) -> tuple[str, ...]:
        """The real paths of aisbx's configuration, state and cache."""
        return self._context.own_dirs
