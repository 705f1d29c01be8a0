"""What a profile's file can say. The published JSON Schema (`docs/profile.schema.json`) is made from this."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Discriminator, Field, Tag, field_validator, model_validator

from aisbx import amounts
from aisbx.errors import UsageError
from aisbx.profiles import rules
from aisbx.profiles.load import NAME
from aisbx.profiles.strict import STRICT
from aisbx.profiles.violations import ViolationsEntry

ABSOLUTE = r"^/[^\x00]*$"
SOURCE = r"^(/|~/)[^\x00]*$"
VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"
MODULE = r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$"

Name = Annotated[str, Field(pattern=NAME)]
Absolute = Annotated[str, Field(pattern=ABSOLUTE)]


class _Strict(BaseModel):
    model_config = STRICT


class LimitEntry(_Strict):
    """An amount; `required: true` refuses to run where it can't be enforced."""

    amount: amounts.Written
    required: bool = False


def _kind(value: object) -> str:
    return "table" if isinstance(value, dict | BaseModel) else "plain"  # a model when it is given as data again


AnyLimit = Annotated[
    Annotated[amounts.Written, Tag("plain")] | Annotated[LimitEntry, Tag("table")], Discriminator(_kind)
]


class Limits(_Strict):
    """One entry for each of `aisbx.types.LIMITS`: `512M`, `30s`, a number, or a table."""

    wall_time: AnyLimit | None = None
    output: AnyLimit | None = None
    memory: AnyLimit | None = None
    pids: AnyLimit | None = None
    cpus: AnyLimit | None = None
    disk: AnyLimit | None = None
    open_files: AnyLimit | None = None
    core: AnyLimit | None = None

    @field_validator("*")
    @classmethod
    def _is_amount(cls, value: Any, info: Any) -> Any:  # noqa: ANN401 - any of the fields'
        if value is not None:
            amounts.parse(info.field_name, value.amount if isinstance(value, LimitEntry) else value)
        return value


class MountEntry(_Strict):
    """A host path shown inside, at the same path unless `target` names another."""

    source: Annotated[str, Field(pattern=SOURCE)]
    target: Absolute | None = None
    mode: Literal["ro", "rw"] = "ro"


def _secret(text: str) -> str:
    _read_secrets([text])
    return text


def _read_secrets(texts: list[str]) -> None:
    from aisbx.secrets.spelled import parse_secrets  # few profiles have any

    try:
        parse_secrets(texts)
    except UsageError as error:
        raise ValueError(error.message.removeprefix("--secret").lstrip(": ")) from None


class NetworkRules(_Strict):
    """`allow` has rules for what can be reached (docs/network.md), or `@INDEX`; nothing else can."""

    allow: list[str] = []
    enabled: bool | None = None
    """Older spelling: false is `network: none`."""
    deny: list[str] = []
    """Rules for what of it cannot. `*` is an older spelling: what is not allowed is denied anyhow."""

    @field_validator("allow")
    @classmethod
    def _are_rules(cls, texts: list[str]) -> list[str]:
        rules.spelled(texts)
        return texts

    @field_validator("deny")
    @classmethod
    def _are_denied(cls, texts: list[str]) -> list[str]:
        rules.spelled(f"deny {text}" for text in texts if text != "*")
        return texts

    @model_validator(mode="after")
    def _is_clear(self) -> "NetworkRules":
        # An empty list must never read as "no restriction".
        if self.enabled and not self.allow:
            raise ValueError("is enabled but allows nothing: write `network: open`, or name hosts under allow")
        if self.enabled is False and self.allow:
            raise ValueError("is not enabled but allows hosts: leave out one of the two")
        if not self.allow and [rule for rule in self.deny if rule != "*"]:
            raise ValueError("denies hosts and allows none: whatever `allow` does not name is denied")
        return self


class ProfileFile(_Strict):
    """A profile: what a kind of work needs, or (`restriction`) what it may at most have."""

    name: Name | None = None
    """Older spelling: the file's name is the profile's; another one here is refused."""
    description: Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""
    extends: Name | list[Name] = []
    restriction: bool = False
    toolchains: list[Name] = []
    mounts: list[MountEntry] = []
    environment: dict[Annotated[str, Field(pattern=VARIABLE)], str | int] = {}
    path: list[Absolute] = []
    cache: bool | None = None
    """Keep `/var/cache` between runs, one for each project and profile."""
    workspace: Literal["ro", "cow", "guarded", "rw"] | None = None
    network: (
        Annotated[
            Annotated[Literal["none", "open"], Tag("plain")] | Annotated[NetworkRules, Tag("table")],
            Discriminator(_kind),
        ]
        | None
    ) = None
    syscalls: list[Name] = []
    limits: Limits = Field(default_factory=Limits)
    secrets: Annotated[list[Annotated[str, AfterValidator(_secret)]], Field(max_length=64)] = []
    """Names of secrets, never values: `[STORE:]NAME[,type=file|env|proxy][,target=TARGET]`, as `--secret` has it."""
    preload: Annotated[list[Annotated[str, Field(pattern=MODULE, max_length=200)]], Field(max_length=64)] = []
    """Python modules that `run_code` of the MCP server has imported before code comes."""
    rootfs: Annotated[str, Field(pattern=SOURCE)] | None = None
    """A root directory, as `aisbx init --rootfs` makes one, whose runtime is shown in the place of the host's."""
    shell: Absolute | None = None
    violations: ViolationsEntry = Field(default_factory=ViolationsEntry)
    """Rules of the profile's own about what is refused, and what is done then (docs/monitoring.md)."""
    cpu: AnyLimit | None = None
    """Older spelling of `limits.cpus`."""
    memory: AnyLimit | None = None
    """Older spelling of `limits.memory`."""
    timeout: AnyLimit | None = None
    """Older spelling of `limits.wall_time`."""

    @field_validator("path")
    @classmethod
    def _no_colon(cls, path: list[str]) -> list[str]:
        if any(":" in entry for entry in path):
            raise ValueError("a directory of PATH cannot contain a colon: one entry each")
        return path

    @field_validator("secrets")
    @classmethod
    def _one_for_a_place(cls, texts: list[str]) -> list[str]:
        _read_secrets(texts)
        return texts

    @field_validator("environment")
    @classmethod
    def _no_nul(cls, environment: dict[str, str | int]) -> dict[str, str | int]:
        for name, value in environment.items():
            if "\0" in str(value):
                raise ValueError(f"{name} contains a NUL byte")
            if name in _OURS or re.match(r"LD_|DYLD_", name):
                raise ValueError(
                    f"{name} cannot be set by a profile: {_OURS.get(name, 'it changes what programs load')}"
                )
        return environment

    @model_validator(mode="after")
    def _restricts(self) -> "ProfileFile":
        if self.restriction:
            giving = ("toolchains", "mounts", "environment", "path", "cache", "secrets", "preload", "rootfs", "shell")
            for key in giving:
                if getattr(self, key):
                    raise ValueError(f"a restriction only takes away: it cannot have {key}")
        return self


_OURS = {
    "PATH": "use path:",
    "HOME": "the sandbox has a home of its own",
    "USER": "it is the account's",
    "LOGNAME": "it is the account's",
    "SHELL": "use shell:",
    "TMPDIR": "the sandbox has a /tmp of its own",
}

# What other tools' profiles have and these can't honour: said, never dropped.
FOREIGN = {
    "working_dir": "a command starts in the directory you are in; use --workspace",
    "driver": "a driver is chosen by --driver or your settings",
    "seccomp": "use syscalls: with names of groups",
    "capabilities": "a sandbox has none, and none can be given",
}


def json_schema() -> dict[str, Any]:
    """Give the JSON Schema (draft 2020-12) that editors can check profiles with."""
    schema = ProfileFile.model_json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "aisbx profile",
        "description": "A profile of aisbx: $XDG_CONFIG_HOME/aisbx/profiles/NAME.yaml or .aisbx/profiles/NAME.yaml",
    }
