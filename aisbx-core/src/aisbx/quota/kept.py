"""What outlives a restart: `$XDG_STATE_HOME/aisbx/admission.json` (0600), replaced as a whole under a lock."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from aisbx.errors import ConfigError, StateError
from aisbx.inputs import Inputs
from aisbx.paths import ensure_private, locked, read_own, write_own
from aisbx.quota.standing import Standing

VERSION = 1
_FORGOTTEN = 30 * 24 * 3600
_MOST = 2000
"""Principals; the ones longest unseen go first."""


def load(file: Path) -> dict[str, Standing]:
    """Give what is known of principals; StateError where the file is damaged, newer, or not the user's own."""
    hint = f"remove {file}: every key then begins with full limits"
    try:
        data = read_own(file, Inputs())
        record: object = json.loads(data) if data is not None else {"version": VERSION, "principals": {}}
        match record:
            case {"version": 1, "principals": dict()}:
                rows = cast("dict[str, dict[str, dict[str, object]]]", record)["principals"]
            case _:
                raise StateError(f"{file} holds no limits (version {VERSION})", hint=hint)
        return {who: _standing(row) for who, row in rows.items()}
    except (ConfigError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise StateError(f"{file} cannot be used: {error}", hint=hint) from error


def save(file: Path, changed: Mapping[str, dict[str, object]], now: float) -> None:
    """Write down what has changed; what another server wrote of others stays. StateError where it can't be."""
    ensure_private(file.parent)
    with locked(file.with_suffix(".lock")):
        rows = {who: row(standing) for who, standing in load(file).items()}
        rows.update(changed)
        seen = {who: cast("float", one["seen"]) for who, one in rows.items()}
        fresh = sorted((who for who in rows if now - seen[who] < _FORGOTTEN), key=seen.__getitem__)
        record = {"version": VERSION, "principals": {who: rows[who] for who in fresh[-_MOST:]}}
        write_own(file, (json.dumps(record) + "\n").encode("ascii"))


def row(standing: Standing) -> dict[str, object]:
    """Give what is kept of a principal."""
    return {
        "buckets": {scope: [round(tokens, 3), round(at, 3)] for scope, (tokens, at) in standing.buckets.items()},
        "mean": round(standing.mean, 3),
        "minutes": standing.minutes,
        "until": round(standing.until, 3),
        "seen": round(standing.seen, 3),
    }


def _standing(row: dict[str, object]) -> Standing:
    buckets = cast("dict[str, list[float]]", row["buckets"])
    made = Standing(
        buckets={scope: (float(tokens), float(at)) for scope, (tokens, at) in buckets.items()},
        mean=float(cast("float", row["mean"])),
        minutes=int(cast("int", row["minutes"])),
        until=float(cast("float", row["until"])),
        seen=float(cast("float", row["seen"])),
    )
    numbers = [made.mean, made.until, made.seen, *(number for pair in made.buckets.values() for number in pair)]
    if not all(0 <= number < float("inf") for number in numbers):
        raise ValueError("a number in it is none that can be")
    return made
