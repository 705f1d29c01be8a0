"""Read how a secret is asked for: `[STORE:]NAME[,type=file|env|proxy][,target=TARGET]`, as `podman run` has it.

Of `type=proxy` there can be `host=`, `method=`, `path=` and `header=` as well, each as often as it takes.
"""

import os.path
import re
from collections.abc import Sequence

from aisbx.errors import UsageError
from aisbx.profiles import hosts
from aisbx.types import Binding, Secret

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}", re.ASCII)
_METHOD = re.compile(r"[A-Z]{1,20}", re.ASCII)
_PATH = re.compile(r"/[!-\"$-+\-->@-~]*", re.ASCII)
_FIELD = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]{1,64}", re.ASCII)
_TYPES = ("file", "env", "proxy")
_BOUND = ("host", "method", "path", "header")
_HINT = "write NAME, STORE:NAME, NAME,type=env,target=VARIABLE or NAME,type=proxy,target=VARIABLE,host=HOST"


def parse_secrets(values: Sequence[str]) -> tuple[Secret, ...]:
    """Read each value; UsageError for one that is malformed, and for two of one target."""
    secrets = tuple(parse_secret(value) for value in values)
    places = [secret.place for secret in secrets]
    for place in places:
        if places.count(place) > 1:
            raise UsageError(f"--secret: two are to be {os.path.basename(place)}", hint="give one another target=")
    return secrets


def parse_secret(value: str) -> Secret:
    """Read one value; UsageError where it is malformed."""
    named, *options = value.split(",")
    store, colon, name = named.rpartition(":")
    if not _NAME.fullmatch(name) or (colon and not _NAME.fullmatch(store)):
        # What was typed is not shown: whoever takes it for `--env` has typed the value.
        raise UsageError("--secret: a value is not the name of a secret", hint=_HINT)
    given: dict[str, str] = {}
    bound: dict[str, list[str]] = {key: [] for key in _BOUND}
    for option in options:
        key, equals, text = option.partition("=")
        if key in bound and equals:
            bound[key].append(text)
            continue
        if key not in {"type", "target"} or not equals or key in given:
            raise UsageError(f"--secret {named}: an option is unknown, or stands twice", hint=_HINT)
        given[key] = text
    kind, target = given.get("type", "file"), given.get("target", name)
    if kind not in _TYPES:
        raise UsageError(f"--secret {named}: there is no type {kind!r}", hint=f"there are {', '.join(_TYPES)}")
    if not (_NAME if kind == "file" else _VARIABLE).fullmatch(target):
        what = "a file in /run/secrets" if kind == "file" else "a variable"
        raise UsageError(f"--secret {named}: {target!r} is not a name for {what}", hint="give it one by target=")
    if kind == "proxy":
        headers = tuple(dict.fromkeys(text.lower() for text in bound["header"]))
        if wrong := next((text for text in headers if not _FIELD.fullmatch(text)), ""):
            raise UsageError(f"--secret {named}: {wrong!r} is no name of a header field", hint="write header=X-API-Key")
        return Secret(name, store, placeholder=target, binding=_binding(named, bound), headers=headers)
    if any(bound.values()):
        what = f"--secret {named}: host=, method=, path= and header= are for type=proxy"
        raise UsageError(what, hint="add type=proxy, or leave them out")
    return Secret(name, store, variable=target) if kind == "env" else Secret(name, store, target=target)


def _binding(named: str, bound: dict[str, list[str]]) -> Binding | None:
    methods = tuple(dict.fromkeys(text.upper() for text in bound["method"]))
    if wrong := next((text for text in methods if not _METHOD.fullmatch(text)), ""):
        raise UsageError(f"--secret {named}: {wrong!r} is no method", hint="write method=GET, method=POST, …")
    if wrong := next((text for text in bound["path"] if not _PATH.fullmatch(text)), ""):
        raise UsageError(
            f"--secret {named}: {wrong!r} is no path", hint="write the beginning of a URL's path: path=/v1"
        )
    try:
        names = tuple(str(hosts.parse(text)) for text in bound["host"])
    except ValueError as error:
        raise UsageError(
            f"--secret {named}: {error}", hint="write host=HOST, host=HOST:PORT or host=*.DOMAIN"
        ) from None
    if not names and (methods or bound["path"]):
        raise UsageError(f"--secret {named}: method= and path= stand with host=", hint="name the host")
    return Binding(names, methods, tuple(bound["path"])) if names else None
