"""From names (`python-dev+offline`) to one profile: read, check, extend, compose."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from aisbx import amounts
from aisbx.errors import ProfileError
from aisbx.inputs import Inputs
from aisbx.paths import home
from aisbx.plan.known import known
from aisbx.profiles import rules
from aisbx.profiles.composition import Composition
from aisbx.profiles.lattice import allowlist
from aisbx.types import (
    LIMITS,
    REACTIONS,
    Detection,
    Limit,
    LimitStrength,
    Mount,
    Network,
    NetworkMode,
    Profile,
    Reaction,
    Secret,
    WorkspaceMode,
)

DEFAULT = "base"
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"

Table = dict[str, Any]
"""What a file says, all keys of `schema.ProfileFile`, as JSON has it."""


@dataclass(frozen=True, slots=True)
class ProfileText:
    """A profile as it was found: `file` for messages, `origin` for lists (`user`, `project`, a distribution)."""

    name: str
    text: str
    file: str
    origin: str


Lookup = Callable[[str], ProfileText | None]


def load_profile(
    names: Sequence[str], lookup: Lookup, inputs: Inputs, *, default: str = DEFAULT, cache: str = ""
) -> Profile:
    """Give the composition of the profiles that are named; each name may hold several, joined with `+`.

    Where only restrictions are named (`-p offline`), they restrict `default`. In the directory `cache` is kept what
    texts that have been checked came to; without one each is checked. ProfileError for a name that is not found, a
    file that is wrong (file, line, key), a cycle, or parts that contradict each other.
    """
    loader = _Loader(lookup, inputs, cache)
    composed = loader.all_of(names or [default])
    if composed.runtime is None:
        composed |= loader.all_of([default])
    if composed.runtime is None:
        composed |= loader.all_of([DEFAULT])
    return composed.profile()


def parse_profile(found: ProfileText, inputs: Inputs) -> tuple[Profile, tuple[str, ...]]:
    """Check one file and give what it says by itself, and the names that it extends."""
    return _said(found, _checked(found), inputs)


def _checked(found: ProfileText) -> Table:
    # YAML and pydantic: they take as long to import as all else that a run without a plan does.
    from aisbx.profiles.check import check

    return check(found)


def _said(found: ProfileText, table: Table, inputs: Inputs) -> tuple[Profile, tuple[str, ...]]:
    extends = table["extends"]
    return _profile(found, table, inputs), (extends,) if isinstance(extends, str) else tuple(extends)


class _Loader:
    """Reads each file once."""

    def __init__(self, lookup: Lookup, inputs: Inputs, cache: str) -> None:
        self._lookup = lookup
        self._inputs = inputs
        self._cache = cache
        self._done: dict[str, Composition] = {}

    def all_of(self, names: Sequence[str]) -> Composition:
        composed = Composition()
        for name in sorted({part for written in names for part in written.split("+")}):
            composed |= self._done[name] if name in self._done else self._one(name, self._find(name), ())
        return composed

    def _find(self, name: str) -> ProfileText:
        if found := self._lookup(name):
            return found
        raise ProfileError(f"there is no profile {name!r}", hint="`aisbx profile list` shows them")

    def _one(self, name: str, found: ProfileText, below: tuple[str, ...]) -> Composition:
        own, extends = _said(found, self._table(found), self._inputs)
        parents = Composition()
        for position, parent in enumerate(extends):
            parents |= self._parent(found, position, parent, (*below, name))
        composed = parents.over(own)
        _check_reactions(found, own, composed)
        self._done[name] = composed
        return composed

    def _parent(self, child: ProfileText, position: int, name: str, below: tuple[str, ...]) -> Composition:
        if name in below:
            chain = " → ".join((*below[below.index(name) :], name))
            raise _error(child, ("extends", position), f"profiles extend each other in a circle: {chain}")
        if name in self._done:
            return self._done[name]
        found = self._lookup(name)
        if found is None:
            raise _error(child, ("extends", position), f"there is no profile {name!r}")
        return self._one(name, found, below)

    def _table(self, found: ProfileText) -> Table:
        """Give what a file says, checked; a text that was checked by this very code is not checked again."""
        if not self._cache:
            return _checked(found)
        return cast("Table", known(self._cache, f"profile {found!r}", lambda _: _checked(found), self._inputs))


def _error(found: ProfileText, path: Sequence[str | int], message: str) -> ProfileError:
    from aisbx.profiles import document

    key, line = document.parse(found.text, found.file).locate(tuple(path))
    return ProfileError(message, file=found.file, line=line, key=key, hint="docs/profiles.md lists the keys")


def _check_reactions(found: ProfileText, own: Profile, composed: Composition) -> None:
    """ProfileError for a reaction to what is neither a severity nor a rule: everybody's, its own, or an extended one's.

    `composed` is the profile with all that it extends.
    """
    if not own.reactions:
        return
    from aisbx.violations.rules import SEVERITIES, meaning  # few profiles react

    sides = (composed.runtime, composed.restriction)
    known = {*SEVERITIES, *(each.id for side in sides if side for each in side.detections)}
    for each in own.reactions:
        if each.on not in known and not meaning(each.on):
            message = "is neither a severity nor a rule's id, of this profile or of one that it extends"
            raise _error(found, ("violations", "reactions", each.on), message)


def _profile(found: ProfileText, said: Table, inputs: Inputs) -> Profile:
    return Profile(
        name=found.name,
        description=said["description"],
        restriction=said["restriction"],
        toolchains=frozenset(said["toolchains"]),
        mounts=_mounts(found, said["mounts"], inputs),
        environment={key: str(value) for key, value in sorted(said["environment"].items())},
        path=tuple(sorted({os.path.normpath(entry) for entry in said["path"]})),
        workspace_mode=WorkspaceMode(said["workspace"]) if said["workspace"] else None,
        network=_network(said["network"]),
        syscalls=frozenset(said["syscalls"]),
        limits=_limits(found, said),
        cache=said["cache"],
        secrets=_secrets(said["secrets"]),
        preload=frozenset(said["preload"]),
        detections=_detections(said["violations"]["rules"]),
        reactions=_reactions(said["violations"]["reactions"]),
        rootfs=_path(said["rootfs"] or "", inputs),
        shell=said["shell"] or "",
    )


def _mounts(found: ProfileText, entries: Sequence[Table], inputs: Inputs) -> tuple[Mount, ...]:
    mounts: dict[str, Mount] = {}
    for position, entry in enumerate(entries):
        source = _path(entry["source"], inputs)
        target = os.path.normpath(entry["target"]) if entry["target"] else source
        if target in mounts:
            raise _error(found, ("mounts", position), f"{target} is already mounted above")
        mounts[target] = Mount(source, target, entry["mode"] == "rw", f"profile {found.name}")
    return tuple(mounts[target] for target in sorted(mounts))


def _path(written: str, inputs: Inputs) -> str:
    """Give a path as one that is absolute and normalised; "" stays."""
    if written.startswith("~/"):
        written = os.path.join(home(inputs), written[2:])
    return os.path.normpath(written) if written else ""


def _network(said: str | Table | None) -> Network | None:
    if said is None:
        return None
    if isinstance(said, str):
        return Network(NetworkMode(said))
    denied = [f"deny {rule}" for rule in said["deny"] if rule != "*"]
    return allowlist(rules.union(rules.spelled([*said["allow"], *denied])))


def _secrets(texts: Sequence[str]) -> tuple[Secret, ...]:
    if not texts:
        return ()
    from aisbx.secrets.spelled import parse_secrets  # few profiles have any

    return tuple(sorted(parse_secrets(texts), key=lambda secret: secret.place))


def _detections(entries: Sequence[Table]) -> tuple[Detection, ...]:
    return tuple(sorted(map(_detection, entries)))


def _detection(entry: Table) -> Detection:
    fits: dict[str, str | list[str]] = entry["arguments"]
    table: Table = {
        **entry,
        "seconds": float(entry["seconds"]),
        "rules": tuple(entry["rules"]),
        "what": tuple(entry["what"]),
        "arguments": tuple(
            (name, (one,) if isinstance(one, str) else tuple(one)) for name, one in sorted(fits.items())
        ),
    }
    return Detection(**table)


def _reactions(said: Mapping[str, str | Sequence[str]]) -> tuple[Reaction, ...]:
    return tuple(
        Reaction(on=on, do=tuple(sorted({do} if isinstance(do, str) else {*do}, key=REACTIONS.index)))
        for on, do in sorted(said.items())
    )


def _limits(found: ProfileText, said: Table) -> dict[str, Limit]:
    limits: dict[str, Limit] = {}
    for name in LIMITS:
        written = said["limits"][name]
        key = _OLDER.get(name, "")
        if key and said[key] is not None:
            if written is not None:
                raise _error(found, (key,), f"is an older spelling of limits.{name}, which stands here too")
            written = said[key]
        if written is None:
            continue
        entry = cast("Table", written) if isinstance(written, dict) else {"amount": written, "required": False}
        try:
            amount = amounts.parse(name, entry["amount"])
        except ValueError as error:
            raise _error(found, (key,), str(error)) from error
        limits[name] = Limit(amount, LimitStrength.REQUIRED if entry["required"] else LimitStrength.DEFAULT)
    return limits


_OLDER = {"cpus": "cpu", "memory": "memory", "wall_time": "timeout"}
"""Limit → its older spelling, at the top of a file."""
