"""What can be set, and what holds where nothing is set: plain data, which is all that a run needs of its settings.

What a file or a variable says is validated by `model`, which has the same names; only who says something imports it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, cast

from aisbx.repository import RepositoryInput

Path = tuple[str, ...]

FILE = "config.toml"
"""The user's file, in the directory of aisbx's configuration."""


@dataclass(frozen=True)
class PluginSettings:
    """Which installed plugins may be loaded."""

    allow: list[str] | None = None
    """Names of distributions; None: all that are installed."""
    disable: list[str] = field(default_factory=list[str])
    """Names of plugins or distributions; AISBX_DISABLE_PLUGINS adds to it."""


@dataclass(frozen=True)
class AuditSettings:
    """What the audit log records."""

    argv: bool = True
    """Record the arguments of a command, not only its program."""
    rotate: int = 1 << 24
    """Bytes of the log at which a new file is begun."""
    keep: int = 0
    """How many full files are kept, the newest; 0: all."""
    export: str = ""
    """Where the head of the chain is told after each record: a file, `syslog` or `syslog:SOCKET`."""


@dataclass(frozen=True)
class LogSettings:
    """What is kept of a run's output."""

    keep_output: int = 1 << 20
    """Bytes of each run."""
    keep_runs: int = 100
    """The newest runs whose output is kept."""


@dataclass(frozen=True)
class AdmissionSettings:
    """What a host lets each key do, by scope (`run`, `files`, `admin`, `protocol`)."""

    rate: dict[str, int] = field(default_factory=dict[str, int])
    """Requests a minute."""
    concurrent: dict[str, int] = field(default_factory=dict[str, int])
    """Requests at once."""


@dataclass(frozen=True)
class AlertSettings:
    """Whom alerts of violations are sent to; see docs/monitoring.md."""

    url: str = ""
    """`https://…`, or `http://` to this machine."""
    secret: str = ""
    """The name of the secret that signs them, `[STORE:]NAME`."""
    server: str = "medium"
    """From which severity on what the door of a server (MCP, the supervisor) refuses is told; `none`: nothing."""


@dataclass(frozen=True)
class ProjectSettings:
    """All that a project's `aisbx.toml` can say."""

    profile: str = ""
    driver: str = ""
    limits: dict[str, float] = field(default_factory=dict[str, float])
    policies: list[str] = field(default_factory=list[str])


@dataclass(frozen=True)
class Context:
    """What is known of settings beside their values; see the properties of `Settings`."""

    origins: Mapping[str, str] = field(default_factory=dict[str, str])
    repository: RepositoryInput | None = None
    trusted: bool = False
    untrusted: ProjectSettings = field(default_factory=ProjectSettings)
    own_dirs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Settings:
    """All that `config.toml` and `AISBX_*` can say; a trusted project's values are already in it."""

    profile: str = "base"
    """Profiles of a run that names none, as `-p` takes them (`python-dev+offline`)."""
    driver: str = "auto"
    plugins: PluginSettings = field(default_factory=PluginSettings)
    lower: list[str] = field(default_factory=list[str])
    """Ids of controls that need not hold. Never a project's to say."""
    audit: AuditSettings = field(default_factory=AuditSettings)
    logs: LogSettings = field(default_factory=LogSettings)
    admission: AdmissionSettings = field(default_factory=AdmissionSettings)
    limits: dict[str, float] = field(default_factory=dict[str, float])
    """In place of the profiles' defaults: bytes, seconds, cores and counts, as in `aisbx.types.LIMITS`."""
    drivers: dict[str, dict[str, object]] = field(default_factory=dict[str, dict[str, object]])
    """Each driver's own table."""
    alerts: AlertSettings = field(default_factory=AlertSettings)
    policies: list[str] = field(default_factory=list[str])
    sinks: list[str] = field(default_factory=list[str])
    sink_settings: dict[str, dict[str, object]] = field(default_factory=dict[str, dict[str, object]])
    """Each sink's own table."""
    secret_store: str = "vault"  # noqa: S105 - a plugin's name
    """Where secrets come from that are named without a store."""
    secret_settings: dict[str, dict[str, object]] = field(default_factory=dict[str, dict[str, object]])
    """Each secret store's own table."""
    egress: dict[str, dict[str, object]] = field(default_factory=dict[str, dict[str, object]])
    """Each egress plugin's own table."""
    context: Context = field(default_factory=Context, repr=False, compare=False)

    def as_table(self) -> dict[str, Any]:
        """Give what can be set, as nested tables."""
        table = _table(self)
        del table["context"]
        return table

    def origins(self) -> dict[str, str]:
        """Say where each value comes from: dotted key → `default`, `FILE:LINE` or `environment NAME`."""
        return dict(self.context.origins)

    @property
    def repository(self) -> RepositoryInput | None:
        """What the project's repository says (`aisbx.toml`, `.aisbx/`), if anything."""
        return self.context.repository

    @property
    def trusted(self) -> bool:
        """Whether the user has trusted that content."""
        return self.context.trusted

    @property
    def untrusted(self) -> ProjectSettings:
        """What a project says that is not trusted: `aisbx.profiles.choose` and `resolve` let it narrow only."""
        return self.context.untrusted

    @property
    def own_dirs(self) -> tuple[str, ...]:
        """The real paths of aisbx's configuration, state and cache."""
        return self.context.own_dirs


def leaves(table: Mapping[str, Any], path: Path = ()) -> list[tuple[Path, Any]]:
    """Give every value that is no table, with its path."""
    rows: list[tuple[Path, Any]] = []
    for key, value in table.items():
        if isinstance(value, dict):
            rows += leaves(cast("dict[str, Any]", value), (*path, key))
        else:
            rows.append(((*path, key), value))
    return rows


def _table(data: Any) -> dict[str, Any]:  # noqa: ANN401 - a dataclass
    return {
        each.name: _table(value) if is_dataclass(value := getattr(data, each.name)) else value for each in fields(data)
    }
