"""From names (`python-dev+offline`) to one profile: read, check, extend, compose."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from pydantic import ValidationError

from aisbx import amounts
from aisbx.errors import ProfileError
from aisbx.inputs import Inputs
from aisbx.paths import home
from aisbx.profiles import document, hosts
from aisbx.profiles.composition import Composition
from aisbx.profiles.document import Document
from aisbx.profiles.lattice import allowlist
from aisbx.profiles.schema import FOREIGN, AnyLimit, LimitEntry, MountEntry, NetworkRules, ProfileFile
from aisbx.types import LIMITS, Limit, LimitStrength, Mount, Network, NetworkMode, Profile, WorkspaceMode

DEFAULT = "base"


@dataclass(frozen=True, slots=True)
class ProfileText:
    """A profile as it was found: `file` for messages, `origin` for lists (`user`, `project`, a distribution)."""

    name: str
    text: str
    file: str
    origin: str


Lookup = Callable[[str], ProfileText | None]


def load_profile(names: Sequence[str], lookup: Lookup, inputs: Inputs, *, default: str = DEFAULT) -> Profile:
    """Give the composition of the profiles that are named; each name may hold several, joined with `+`.

    Where only restrictions are named (`-p offline`), they restrict `default`. ProfileError for a name that is not
    found, a file that is wrong (file, line, key), a cycle, or parts that contradict each other.
    """
    loader = _Loader(lookup, inputs)
    composed = loader.all_of(names or [default])
    if composed.runtime is None:
        composed |= loader.all_of([default])
    if composed.runtime is None:
        composed |= loader.all_of([DEFAULT])
    return composed.profile()


def parse_profile(found: ProfileText, inputs: Inputs) -> tuple[Profile, tuple[str, ...]]:
    """Check one file and give what it says by itself, and the names that it extends."""
    read = document.parse(found.text, found.file)
    for key, why in FOREIGN.items():
        if key in read.data:
            raise ProfileError(why, file=found.file, line=read.locate((key,))[1], key=key, hint="remove the key")
    try:
        said = ProfileFile.model_validate(read.data)
        if said.name not in {None, found.name}:
            raise _error(read, ("name",), f"is {said.name!r}, but the profile is called {found.name!r}")
        profile = _profile(found, said, read, inputs)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        message = {"extra_forbidden": "there is no such key"}.get(first["type"], first["msg"])
        raise _error(read, first["loc"], message.removeprefix("Value error, ")) from error
    return profile, (said.extends,) if isinstance(said.extends, str) else tuple(said.extends)


class _Loader:
    """Reads each file once."""

    def __init__(self, lookup: Lookup, inputs: Inputs) -> None:
        self._lookup = lookup
        self._inputs = inputs
        self._done: dict[str, Composition] = {}

    def all_of(self, names: Sequence[str]) -> Composition:
        composed = Composition()
        for name in sorted({part for written in names for part in written.split("+")}):
            composed |= self.one(name, ())
        return composed

    def one(self, name: str, below: tuple[str, ...]) -> Composition:
        if name in below:
            chain = " → ".join((*below[below.index(name) :], name))
            raise ProfileError(f"profiles extend each other in a circle: {chain}", key="extends")
        if name not in self._done:
            found = self._lookup(name)
            if found is None:
                by = f" (extended by {below[-1]})" if below else ""
                raise ProfileError(f"there is no profile {name!r}{by}", hint="`aisbx profile list` shows them")
            own, extends = parse_profile(found, self._inputs)
            parents = Composition()
            for parent in extends:
                parents |= self.one(parent, (*below, name))
            self._done[name] = parents.over(own)
        return self._done[name]


def _error(read: Document, path: Sequence[str | int], message: str) -> ProfileError:
    key, line = read.locate(tuple(path))
    return ProfileError(message, file=read.file, line=line, key=key, hint="docs/profiles.md lists the keys")


def _profile(found: ProfileText, said: ProfileFile, read: Document, inputs: Inputs) -> Profile:
    return Profile(
        name=found.name,
        description=said.description,
        restriction=said.restriction,
        toolchains=frozenset(said.toolchains),
        mounts=_mounts(found, said.mounts, read, inputs),
        environment={key: str(value) for key, value in sorted(said.environment.items())},
        path=tuple(sorted({os.path.normpath(entry) for entry in said.path})),
        workspace_mode=WorkspaceMode(said.workspace) if said.workspace else None,
        network=_network(said.network),
        syscalls=frozenset(said.syscalls),
        limits=_limits(said, read),
        cache=said.cache,
        shell=said.shell or "",
    )


def _mounts(found: ProfileText, entries: Sequence[MountEntry], read: Document, inputs: Inputs) -> tuple[Mount, ...]:
    mounts: dict[str, Mount] = {}
    for position, entry in enumerate(entries):
        source = entry.source
        if source.startswith("~/"):
            source = os.path.join(home(inputs), source[2:])
        source = os.path.normpath(source)
        target = os.path.normpath(entry.target) if entry.target else source
        if target in mounts:
            raise _error(read, ("mounts", position), f"{target} is already mounted above")
        mounts[target] = Mount(source, target, entry.mode == "rw", f"profile {found.name}")
    return tuple(mounts[target] for target in sorted(mounts))


def _network(said: str | NetworkRules | None) -> Network | None:
    if said is None:
        return None
    if isinstance(said, str):
        return Network(NetworkMode(said))
    return allowlist(hosts.union(said.allow))


def _limits(said: ProfileFile, read: Document) -> dict[str, Limit]:
    older = {"cpus": ("cpu", said.cpu), "memory": ("memory", said.memory), "wall_time": ("timeout", said.timeout)}
    limits: dict[str, Limit] = {}
    for name in LIMITS:
        written = cast("AnyLimit | None", getattr(said.limits, name))
        key, alias = older.get(name, ("", None))
        if alias is not None:
            if written is not None:
                raise _error(read, (key,), f"is an older spelling of limits.{name}, which stands here too")
            written = alias
        if written is None:
            continue
        entry = written if isinstance(written, LimitEntry) else LimitEntry(amount=written)
        try:
            amount = amounts.parse(name, entry.amount)
        except ValueError as error:
            raise _error(read, (key,), str(error)) from error
        limits[name] = Limit(amount, LimitStrength.REQUIRED if entry.required else LimitStrength.DEFAULT)
    return limits
