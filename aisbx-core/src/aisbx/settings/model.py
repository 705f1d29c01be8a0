"""What a file or a variable can say of settings, validated by pydantic-settings; the names are those of `values`."""

import os
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Annotated, Literal, Self, cast
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from aisbx import amounts, units
from aisbx.errors import UsageError
from aisbx.settings.values import (
    AdmissionSettings,
    AlertSettings,
    AuditSettings,
    LogSettings,
    PluginSettings,
    ProjectSettings,
    Settings,
)
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
Scope = Literal["run", "files", "admin", "protocol"]
Size = Annotated[int, BeforeValidator(_size), Field(gt=0)]


_HERE = frozenset({"localhost", "127.0.0.1", "::1"})
_DEFAULT = Settings()

Sources = tuple[PydanticBaseSettingsSource, ...]

# Which places the settings that are being made come from, the strongest first. By default none: pydantic-settings
# would read the process's environment, where we are told which environment counts.
_SOURCES: ContextVar[Sources] = ContextVar("aisbx_settings_sources", default=())


class _Table(BaseModel):
    # Text of the environment is validated leniently, files strictly (see `load`).
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class PluginTable(_Table):
    """`plugins`."""

    allow: list[str] | None = _DEFAULT.plugins.allow
    disable: list[str] = _DEFAULT.plugins.disable


class AuditTable(_Table):
    """`audit`."""

    argv: bool = _DEFAULT.audit.argv
    rotate: Annotated[Size, Field(ge=1 << 16)] = _DEFAULT.audit.rotate
    keep: Annotated[int, Field(ge=0)] = _DEFAULT.audit.keep
    export: str = _DEFAULT.audit.export

    @field_validator("export")
    @classmethod
    def _somewhere(cls, target: str) -> str:
        path = target.removeprefix("syslog").removeprefix(":") if target.startswith("syslog") else target
        if target not in {"", "syslog"} and not os.path.isabs(path):
            raise ValueError("is neither an absolute path nor syslog nor syslog:SOCKET")
        return target


class LogTable(_Table):
    """`logs`."""

    keep_output: Size = _DEFAULT.logs.keep_output
    keep_runs: Annotated[int, Field(ge=0)] = _DEFAULT.logs.keep_runs


class AdmissionTable(_Table):
    """`admission`."""

    rate: dict[Scope, Annotated[int, Field(gt=0)]] = {}
    concurrent: dict[Scope, Annotated[int, Field(gt=0)]] = {}


class AlertTable(_Table):
    """`alerts`."""

    url: str = _DEFAULT.alerts.url
    secret: str = _DEFAULT.alerts.secret
    server: Literal["info", "low", "medium", "high", "critical", "none"] = "medium"

    @field_validator("url")
    @classmethod
    def _reachable(cls, url: str) -> str:
        if not url:
            return url
        try:
            found = urlsplit(url)
            named, _ = found.hostname, found.port
        except ValueError as error:
            raise ValueError(f"is no URL: {error}") from error
        if found.scheme not in {"http", "https"} or not named:
            raise ValueError("is not https://HOST/…")
        if found.scheme == "http" and named not in _HERE:
            raise ValueError("is not https: alerts say what was tried, and by whom; http is for this machine only")
        if "@" in found.netloc or found.fragment:
            raise ValueError("has a user or a fragment in it; alerts are signed by alerts.secret")
        return url

    @model_validator(mode="after")
    def _signed(self) -> Self:
        if self.url and not self.secret:
            raise ValueError("has a url and no secret, which signs what is sent there: aisbx secret set NAME")
        return self


class ProjectModel(_Table):
    """A project's `aisbx.toml`."""

    profile: str = ""
    driver: str = ""
    limits: Limits = {}
    policies: list[str] = []

    def values(self) -> ProjectSettings:
        """Give the plain data."""
        return ProjectSettings(**self.model_dump())


class SettingsModel(BaseSettings):
    """`config.toml` and `AISBX_*`."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    profile: str = _DEFAULT.profile
    driver: str = _DEFAULT.driver
    plugins: PluginTable = PluginTable()
    lower: list[str] = _DEFAULT.lower
    audit: AuditTable = AuditTable()
    logs: LogTable = LogTable()
    admission: AdmissionTable = AdmissionTable()
    limits: Limits = _DEFAULT.limits
    drivers: dict[str, dict[str, object]] = _DEFAULT.drivers
    alerts: AlertTable = AlertTable()
    policies: list[str] = _DEFAULT.policies
    sinks: list[str] = _DEFAULT.sinks
    sink_settings: dict[str, dict[str, object]] = _DEFAULT.sink_settings
    secret_store: Annotated[str, Field(min_length=1)] = _DEFAULT.secret_store
    secret_settings: dict[str, dict[str, object]] = _DEFAULT.secret_settings
    egress: dict[str, dict[str, object]] = _DEFAULT.egress

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

    def values(self) -> Settings:
        """Give the plain data."""
        table = self.model_dump()
        table["plugins"] = PluginSettings(**table["plugins"])
        table["audit"] = AuditSettings(**table["audit"])
        table["logs"] = LogSettings(**table["logs"])
        table["alerts"] = AlertSettings(**table["alerts"])
        table["admission"] = AdmissionSettings(**table["admission"])
        return Settings(**table)
