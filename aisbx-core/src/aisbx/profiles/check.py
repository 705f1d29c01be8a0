"""Whether a profile's file is one: read as YAML, checked against the schema, and turned into plain data."""

from typing import Any

from pydantic import ValidationError

from aisbx.errors import ProfileError
from aisbx.profiles import document
from aisbx.profiles.load import ProfileText
from aisbx.profiles.schema import FOREIGN, ProfileFile
from aisbx.toolchains import TOOLCHAINS


def check(found: ProfileText) -> dict[str, Any]:
    """Give all that a file says, its defaults included; ProfileError (file, line, key) for what is wrong."""
    read = document.parse(found.text, found.file)
    for key, why in FOREIGN.items():
        if key in read.data:
            raise ProfileError(why, file=found.file, line=read.locate((key,))[1], key=key, hint="remove the key")
    hint = "docs/profiles.md lists the keys"
    try:
        said = ProfileFile.model_validate(read.data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        message = {"extra_forbidden": "there is no such key"}.get(first["type"], first["msg"])
        key, line = read.locate(first["loc"])
        raise ProfileError(
            message.removeprefix("Value error, "), file=found.file, line=line, key=key, hint=hint
        ) from error
    if said.name not in {None, found.name}:
        key, line = read.locate(("name",))
        message = f"is {said.name!r}, but the profile is called {found.name!r}"
        raise ProfileError(message, file=found.file, line=line, key=key, hint=hint)
    for position, toolchain in enumerate(said.toolchains):
        if toolchain not in TOOLCHAINS:
            key, line = read.locate(("toolchains", position))
            known = f"there are: {', '.join(TOOLCHAINS)}"
            raise ProfileError(f"there is no toolchain {toolchain!r}", file=found.file, line=line, key=key, hint=known)
    return said.model_dump()
