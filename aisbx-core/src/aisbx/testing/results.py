"""What the kit saw: which level a driver claimed for each control, and what became of each attack on it.

One file holds it for each kind of user, and for each level that a driver has where it is given less. Documents are made
from it, so that they claim what was seen and nothing else.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from aisbx.errors import StateError
from aisbx.testing.attacks import ATTACKS
from aisbx.types import CONTROLS

HELD, REFUSED, UNPROVED = "held", "refused", "unproved"
"""An attack failed inside and worked unconfined; a spec that asks for the control was refused, for it is claimed too
weakly; an attack failed inside, and could not work here unconfined either, which proves nothing."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One attack: the level that was claimed when it was made, and one of `HELD`, `REFUSED`, `UNPROVED`."""

    level: str
    outcome: str
    why: str = ""
    """For `UNPROVED`: why it cannot work here at all."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One control: its level in the ordinary spec, and whether one that asks for it was `admitted` or `refused`."""

    level: str
    asked: str
    attacks: Mapping[str, Tried]
    """By the attack's own part of its id."""
    how: str = ""
    """By what the ordinary spec has it, and what is missing, in the driver's words."""

    def counts(self) -> str:
        """Say it in a few words, such as `5 of 6; 1 refused`; `none` where no attack was held."""
        outcomes = [tried.outcome for tried in self.attacks.values()]
        held, proved = outcomes.count(HELD), len(outcomes) - outcomes.count(UNPROVED)
        levels = {tried.level for tried in self.attacks.values() if tried.outcome == HELD} - {self.level}
        parts = [
            f"{held} of {proved}" + "".join(f" where it is {level}" for level in sorted(levels)) if held else "none"
        ]
        parts += [f"{outcomes.count(what)} {what}" for what in (REFUSED, UNPROVED) if what in outcomes]
        return "; ".join(parts)


KINDS = ("user", "root")
Results = dict[str, dict[str, Seen]]
"""Kind of user (`user`, `root`), or level of a driver → control → what was seen."""


def kind_of_user() -> str:
    """Give under what the results of this process belong."""
    return "root" if os.geteuid() == 0 else "user"


def digest() -> str:
    """Give a name for the attacks as they are now; results of other attacks are worth nothing."""
    rows = sorted((attack.id, attack.program, attack.holds_from) for attack in ATTACKS.values())
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]


def load(path: Path, kinds: Sequence[str] = KINDS) -> Results:
    """Read a file of results; StateError if there is none of each of these kinds, or not of the attacks of today."""
    remedy = "record it anew with ./dev kit, as root and as an ordinary user"
    if kinds != KINDS:
        remedy = f"record it anew, each of {', '.join(kinds)}: CONTRIBUTING.md says by what"
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        found = {user: {name: _seen(row) for name, row in data[user]["controls"].items()} for user in kinds}
        stale = [user for user in kinds if not _of_today(data[user])]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StateError(f"{path}: no results of the contract kit: {error!r}", hint=remedy) from error
    if stale:
        raise StateError(f"{path}: the results for {' and '.join(stale)} are of other attacks", hint=remedy)
    return found


def lacking(path: Path, kinds: Sequence[str] = KINDS) -> list[str]:
    """Give those of these kinds of which a file has no results of the attacks of today; StateError if it is damaged."""
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return [user for user in kinds if user not in data or not _of_today(data[user])]
    except FileNotFoundError:
        return list(kinds)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StateError(f"{path}: it cannot be read: {error!r}", hint="remove it, and record it anew") from error


def _of_today(rows: Mapping[str, Any]) -> bool:
    return rows["attacks"] == digest() and list(rows["controls"]) == list(CONTROLS)


def save(path: Path, seen: Mapping[str, Seen], kind: str = "") -> None:
    """Write what was seen as this kind of user, or as `kind`, and leave what is there of others.

    OSError if it can't be done.
    """
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        data = {}
    rows = {name: asdict(seen[name]) for name in CONTROLS}
    data[kind or kind_of_user()] = {"attacks": digest(), "controls": rows}
    for row in rows.values():
        row["attacks"] = {name: " ".join(filter(None, tried.values())) for name, tried in row["attacks"].items()}
    text = json.dumps(dict(sorted(data.items())), indent=1) + "\n"
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def _seen(row: Mapping[str, Any]) -> Seen:
    attacks = {name: Tried(*str(text).split(" ", 2)) for name, text in row["attacks"].items()}
    return Seen(str(row["level"]), str(row["asked"]), attacks, str(row.get("how", "")))
