"""The sandboxes that last, on disk: one private directory each, under `$XDG_STATE_HOME/aisbx/sandboxes`.

`sandbox.json` is for people and for later versions; `home` is the driver's own. Whoever makes or ends a sandbox holds a
lock on its directory (flock(2)), which ends with the process: a directory without `sandbox.json` that nobody holds is
half made.
"""

import json
import os
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from aisbx.errors import StateError, UsageError
from aisbx.paths import ensure_private, write_own
from aisbx.types import SandboxSpec

FORMAT = 1
PLANS = "plans"
"""In a sandbox's directory."""
_RECORD, _ENVIRONMENT, _SPEC = "sandbox.json", "environment.json", "spec.json"
_TRIES = 5
_LONGEST = 63
_FIRST = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
_LETTERS = _FIRST | frozenset("-_.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What is known of a sandbox; `created` and `until` (0: it has no time to live) are seconds since the epoch."""

    name: str
    created: float
    until: float
    principal: str
    driver: str
    profile: str
    workspace: str | None
    mode: str | None
    network: str
    static: str
    """The part of audit records that is the same for all its commands, as JSON members."""
    idle: float = 0.0
    """Seconds without use after which it ends; 0 for any."""
    clock: float = 0.0
    """What CLOCK_MONOTONIC, which nobody sets, said at `created`, in seconds; 0 where it was not noted."""
    reacts: bool = False
    """Something is done about violations in it, see `aisbx.reactor`."""
    monitored: bool = False
    """It is watched, see `aisbx.watcher`."""
    unwatched: str = ""
    """Why it is not, where nobody had said that it should not be."""
    format: int = FORMAT


class Claim:
    """A sandbox's directory, held by this process."""

    def __init__(self, place: Path, descriptor: int) -> None:
        """`descriptor` is the open directory, locked."""
        self.home = place / "home"
        self._place = place
        self._descriptor = descriptor

    def remove(self) -> None:
        """Remove the directory and all in it; first of all what makes it a sandbox. StateError where it stays."""
        try:
            (self._place / _RECORD).unlink(missing_ok=True)
            for _ in range(_TRIES):  # a command that ran just now may be leaving its plan
                shutil.rmtree(self._place, ignore_errors=True)
                if not self._place.exists():
                    return
            shutil.rmtree(self._place)
        except OSError as error:
            told = f"{self._place}: {error.strerror}: the sandbox has ended, and this directory stays"
            raise StateError(told, hint="make it writable, and destroy it again") from error

    def release(self) -> None:
        """Hold it no longer."""
        os.close(self._descriptor)


class Store:
    """All sandboxes of one user."""

    def __init__(self, state: Path) -> None:
        """`state` is `$XDG_STATE_HOME/aisbx`; nothing is made until it is needed."""
        self._root = state / "sandboxes"

    def names(self) -> list[str]:
        """Give the names of all in order, also of those that are half made."""
        try:
            with os.scandir(self._ours()) as entries:
                found = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
            return sorted(filter(_is_name, found))
        except FileNotFoundError:
            return []

    def home(self, name: str) -> Path:
        """Give the driver's own directory of a sandbox."""
        return self._ours() / checked(name) / "home"

    def plans(self, name: str) -> Path:
        """Give the private directory of what commands of a sandbox leave for those after them."""
        return self._root / checked(name) / PLANS

    def find(self, name: str) -> Record:
        """Give a sandbox's record; StateError where there is none."""
        record = self.read(checked(name))
        if record is None:
            raise StateError(f"there is no sandbox {name!r}", hint="see: aisbx ls")
        return record

    def exists(self, name: str) -> bool:
        """Tell whether there is a sandbox of that name, whole or not."""
        return _is_name(name) and os.path.isdir(self._ours() / name)

    def mark(self, name: str) -> tuple[int, int] | None:
        """Give what is another for each sandbox that has the name in turn; None where there is none now."""
        try:
            found = os.stat(self._ours() / checked(name) / _RECORD)
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns

    def finished(self, name: str) -> bool:
        """Tell whether a sandbox has a record, readable or not: one without is half made."""
        return os.path.lexists(self._ours() / name / _RECORD)

    def read(self, name: str) -> Record | None:
        """Give a record, None where there is none (yet); StateError where it cannot be read."""
        path = self._ours() / name / _RECORD
        try:
            row = json.loads(path.read_bytes())
            version = row["format"]
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            hint = f"aisbx destroy {name} ends it all the same"
            raise StateError(f"{path} cannot be read: {error}", hint=hint) from error
        if version != FORMAT:
            raise StateError(f"{path} is of another version of aisbx", hint=f"aisbx destroy {name}")
        return Record(**row)

    def environment(self, name: str) -> dict[str, str]:
        """Give the variables that its maker named for all its commands."""
        return dict(json.loads((self._ours() / name / _ENVIRONMENT).read_bytes()))

    def spec(self, name: str) -> SandboxSpec:
        """Give what a sandbox was made from; StateError where that is lost."""
        from pydantic import TypeAdapter, ValidationError  # most commands do without

        path = self._ours() / name / _SPEC
        try:
            return TypeAdapter(SandboxSpec).validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise StateError(f"{path} cannot be read: {error}", hint=f"aisbx destroy {name}") from error

    def write(self, record: Record, environment: dict[str, str], spec: SandboxSpec) -> None:
        """Write down a sandbox that is whole. Values of variables may be secret: they are not in its record."""
        place = self._root / record.name
        write_own(place / _SPEC, json.dumps(asdict(spec), default=sorted).encode())
        write_own(place / _ENVIRONMENT, json.dumps(environment).encode())
        write_own(place / _RECORD, json.dumps(asdict(record), indent=2).encode() + b"\n")

    def claim(self, name: str) -> Claim:
        """Make the directory of a new sandbox and hold it; StateError where the name is taken."""
        place = ensure_private(self._root) / checked(name)
        try:
            place.mkdir(0o700)
        except FileExistsError:
            hint = f"aisbx destroy {name}, or another name"
            raise StateError(f"there is a sandbox {name!r} already", hint=hint) from None
        except OSError as error:
            raise StateError(f"{place} cannot be made: {error.strerror}", hint="see where it lies") from error
        claim = self.hold(name)
        if claim is None:
            raise StateError(f"{place} was taken away while it was made", hint="try again")
        ensure_private(claim.home)
        ensure_private(place / PLANS)
        return claim

    def hold(self, name: str, patience: float = 0.0) -> Claim | None:
        """Hold a sandbox's directory; None where there is none, or another process holds it for `patience` seconds."""
        import fcntl

        until = time.monotonic() + patience
        place = self._ours() / checked(name)
        try:
            descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    os.close(descriptor)
                    return None
                time.sleep(0.01)
        if os.fstat(descriptor).st_nlink == 0:  # whoever held it before has removed it
            os.close(descriptor)
            return None
        return Claim(place, descriptor)

    def _ours(self) -> Path:
        """Give the directory of all, which may not be there yet; StateError where it is somebody else's.

        What is in it names processes, cgroups and paths to be acted on. Under `sudo` with the caller's HOME root would
        act on what that user wrote.
        """
        if os.path.lexists(self._root):
            ensure_private(self._root)
        return self._root


def _is_name(name: str) -> bool:
    return 0 < len(name) <= _LONGEST and name[0] in _FIRST and set(name) <= _LETTERS


def checked(name: str) -> str:
    """Give back a name that can be a sandbox's; UsageError for any other."""
    if not _is_name(name):
        hint = f"use a-z, 0-9, '-', '_' and '.', at most {_LONGEST} of them, first a letter or digit"
        raise UsageError(f"{name!r} is not a name for a sandbox", hint=hint)
    return name
