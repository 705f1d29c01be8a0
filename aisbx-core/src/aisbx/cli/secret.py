"""Read `--secret`: `[STORE:]NAME[,type=file|env][,target=TARGET]`, as `podman run` has it."""

import re
from collections.abc import Sequence

from aisbx.errors import UsageError
from aisbx.types import Secret

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}", re.ASCII)
_TYPES = ("file", "env")
_HINT = "write NAME, STORE:NAME, or NAME,type=env,target=VARIABLE"


def parse_secrets(values: Sequence[str]) -> tuple[Secret, ...]:
    """Read each value; UsageError for one that is malformed, and for two of one target."""
    secrets = tuple(parse_secret(value) for value in values)
    places = [secret.variable or f"/{secret.target}" for secret in secrets]
    for place in places:
        if places.count(place) > 1:
            raise UsageError(f"--secret: two are to be {place.lstrip('/')}", hint="give one another target=")
    return secrets


def parse_secret(value: str) -> Secret:
    """Read one value; UsageError where it is malformed."""
    named, *options = value.split(",")
    store, colon, name = named.rpartition(":")
    if not _NAME.fullmatch(name) or (colon and not _NAME.fullmatch(store)):
        # What was typed is not shown: whoever takes it for `--env` has typed the value.
        raise UsageError("--secret: a value is not the name of a secret", hint=_HINT)
    given: dict[str, str] = {}
    for option in options:
        key, equals, text = option.partition("=")
        if key not in {"type", "target"} or not equals or key in given:
            raise UsageError(f"--secret {named}: an option is not type= or target=, or stands twice", hint=_HINT)
        given[key] = text
    kind, target = given.get("type", "file"), given.get("target", name)
    if kind not in _TYPES:
        raise UsageError(f"--secret {named}: there is no type {kind!r}", hint=f"there are {', '.join(_TYPES)}")
    if not (_VARIABLE if kind == "env" else _NAME).fullmatch(target):
        what = "a variable" if kind == "env" else "a file in /run/secrets"
        raise UsageError(f"--secret {named}: {target!r} is not a name for {what}", hint="give it one by target=")
    return Secret(name, store, variable=target) if kind == "env" else Secret(name, store, target=target)
