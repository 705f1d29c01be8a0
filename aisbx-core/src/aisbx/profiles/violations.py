"""What a profile's file can say of violations: rules of its own, and reactions (docs/monitoring.md)."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, field_validator, model_validator

from aisbx.profiles.strict import STRICT
from aisbx.violations.rules import meaning

Rule = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
Text = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Fits = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]*$")]
Argument = Annotated[str, Field(pattern=r"^[a-z0-9_]{0,32}$")]
Do = Literal["record", "alert", "pause", "kill"]


class _Strict(BaseModel):
    model_config = STRICT


class DetectionEntry(_Strict):
    """A rule about violations: told when `count` of those that it is about come within `seconds`."""

    id: Rule
    severity: Literal["info", "low", "medium", "high", "critical"]
    means: Text
    rules: Annotated[list[str], Field(max_length=64)] = []
    """Ids of rules, of those that it is about; as of the next three, empty for any."""
    source: Literal["", "syscall", "network", "file", "policy", "limit", "anomaly"] = ""
    what: Annotated[list[Fits], Field(max_length=64)] = []
    """Patterns (`*`, `?`, `[…]`) for the call, or whatever else was tried."""
    arguments: Annotated[dict[Argument, Fits | list[Fits]], Field(max_length=16)] = {}
    """Patterns for arguments, all of which must be there and fit."""
    first: str = ""
    """The id of a rule of which there is one before."""
    distinct: Argument = ""
    """Count the values of this argument, or of `what`, in the place of violations."""
    within: Argument = ""
    """Count those with the same value of this argument by themselves."""
    count: Annotated[int, Field(ge=1, le=500)] = 1
    seconds: Annotated[int | float, Field(gt=0, le=3600)] = 10.0

    @field_validator("rules", "first")
    @classmethod
    def _are_there(cls, said: list[str] | str) -> list[str] | str:
        for name in [said] if isinstance(said, str) else said:
            if name and not meaning(name):
                raise ValueError(f"there is no rule {name!r}; docs/monitoring.md lists them")
        return said

    @model_validator(mode="after")
    def _is_about_something(self) -> "DetectionEntry":
        if meaning(self.id):
            raise ValueError(f"there is a rule {self.id!r} already: give yours another id")
        if not (self.rules or self.source or self.what or self.arguments):
            raise ValueError("is about nothing: name rules, a source, what, or arguments")
        return self


class ViolationsEntry(_Strict):
    """Rules about what is refused, and what is done: by severity (and what is graver), or by a rule's id."""

    # Such an id may be of a profile that this one extends: `aisbx.profiles.load` looks for it.

    rules: Annotated[list[DetectionEntry], Field(max_length=64)] = []
    reactions: Annotated[dict[str, Do | list[Do]], Field(max_length=64)] = {}

    @field_validator("rules")
    @classmethod
    def _once(cls, entries: list[DetectionEntry]) -> list[DetectionEntry]:
        ids = [entry.id for entry in entries]
        for name in ids:
            if ids.count(name) > 1:
                raise ValueError(f"there are two rules {name!r}")
        return entries
