"""Which repositories' input the user has looked at and accepts: by content, so that any change takes it back.

`$XDG_STATE_HOME/aisbx/trust.json` (0600): `{"version": 1, "projects": {directory: {"sha256": …, "time": …}}}`.
"""

import json
import os
import time
from pathlib import Path
from typing import cast

from aisbx import repository
from aisbx.errors import ConfigError, StateError, TrustError
from aisbx.inputs import Inputs
from aisbx.paths import ensure_private, locked, read_own, state_dir, write_own
from aisbx.repository import RepositoryInput

Entry = dict[str, str | int]

VERSION = 1
REMEDY = "look at the project's aisbx.toml and .aisbx/, then `aisbx profile trust`"


def is_trusted(found: RepositoryInput, inputs: Inputs) -> bool:
    """Is this very content of this very directory trusted? StateError for a damaged or foreign record."""
    return _load(_file(inputs), inputs).get(found.directory, {}).get("sha256") == found.sha256


def trust(directory: str, inputs: Inputs) -> RepositoryInput:
    """Trust what the repository in `directory` says now; TrustError where it says nothing."""
    real = os.path.realpath(directory)
    found = repository.read(real, inputs)
    if found is None:
        raise TrustError(f"{real} has neither aisbx.toml nor .aisbx/", hint="`aisbx init` writes an aisbx.toml")
    _change(inputs, real, {"sha256": found.sha256, "time": int(time.time())})
    return found


def distrust(directory: str, inputs: Inputs) -> bool:
    """Take trust back; False where there was none."""
    return _change(inputs, os.path.realpath(directory), None)


def projects(inputs: Inputs) -> dict[str, str]:
    """Give every directory that is trusted with the sha256 of the content that is."""
    return {directory: str(entry["sha256"]) for directory, entry in _load(_file(inputs), inputs).items()}


def _file(inputs: Inputs) -> Path:
    return state_dir(inputs) / "trust.json"


def _load(file: Path, inputs: Inputs) -> dict[str, Entry]:
    hint = f"remove {file} and trust your projects again"
    try:
        data = read_own(file, inputs)
        record: object = json.loads(data) if data is not None else {"version": VERSION, "projects": {}}
    except (ConfigError, ValueError, RecursionError) as error:
        raise StateError(f"{file} cannot be used: {error}", hint=hint) from error
    match record:
        case {"version": 1, "projects": dict()}:
            entries = cast("dict[str, dict[str, object]]", record)["projects"]
        case _:
            raise StateError(f"{file} is not a record of trust (version {VERSION})", hint=hint)
    return {directory: _entry(entry, file, hint) for directory, entry in entries.items()}


def _entry(entry: object, file: Path, hint: str) -> Entry:
    match entry:
        case {"sha256": str(sha256), "time": int(when)}:
            return {"sha256": sha256, "time": when}
        case _:
            raise StateError(f"{file} has an entry that is none", hint=hint)


def _change(inputs: Inputs, directory: str, entry: Entry | None) -> bool:
    file = _file(inputs)
    ensure_private(file.parent)
    with locked(file.with_name("trust.lock")):
        entries = _load(file, inputs)
        before = entries.pop(directory, None)
        if entry is not None:
            entries[directory] = entry
        record = {"version": VERSION, "projects": dict(sorted(entries.items()))}
        # Names that are not UTF-8 are kept as lone surrogates, which ASCII escapes carry unharmed.
        write_own(file, (json.dumps(record, indent=1) + "\n").encode("ascii"))
    return before is not None
