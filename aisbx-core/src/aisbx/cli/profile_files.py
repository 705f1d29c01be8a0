"""Profiles as files of the user: a new one that extends another, and one that is checked where it lies."""

import os

from aisbx.errors import ProfileError, UsageError
from aisbx.inputs import Inputs
from aisbx.paths import config_dir, ensure_private, write_own
from aisbx.profiles import Finder, Lookup, ProfileText, load_profile, parse_profile
from aisbx.profiles.document import LARGEST

TEXT = """\
# docs/profiles.md lists the keys; check this file with: aisbx profile validate {name}
description: {base}, with changes of mine
extends: {extends}
"""


def create_profile(name: str, bases: list[str], profiles: Finder, inputs: Inputs, *, force: bool) -> str:
    """Write `$XDG_CONFIG_HOME/aisbx/profiles/NAME.yaml` and give its path.

    ProfileError where a base is missing or the name is no name; UsageError where the name is taken.
    """
    present = profiles(name)
    if present is not None and not (force and present.origin == "user"):
        hint = "take another name" + (", or --force to replace it" if present.origin == "user" else "")
        raise UsageError(f"there is a profile {name!r} already ({present.origin})", hint=hint)
    if name in bases:
        raise UsageError(f"{name!r} cannot start from itself", hint="name another one with --from")
    load_profile(bases, profiles, inputs)
    path = config_dir(inputs) / "profiles" / f"{name}.yaml"
    ensure_private(path.parent.parent)
    ensure_private(path.parent)
    extends = bases[0] if len(bases) == 1 else f"[{', '.join(bases)}]"
    text = TEXT.format(name=name, base="+".join(bases), extends=extends)
    parse_profile(ProfileText(name, text, str(path), "user"), inputs)
    write_own(path, text.encode())
    return str(path)


def file_lookup(path: str, profiles: Finder) -> tuple[Lookup, str]:
    """Give a lookup in which the file at `path` is a profile of its own name, and that name."""
    name = os.path.basename(path).rpartition(".")[0] or os.path.basename(path)
    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise ProfileError(f"cannot be read: {error.strerror}", file=path) from error
    try:
        found = ProfileText(name, data.decode(), path, "file")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ProfileError("is not UTF-8", file=path, line=line, hint="save it as UTF-8") from error
    return lambda wanted: found if wanted == name else profiles(wanted), name
