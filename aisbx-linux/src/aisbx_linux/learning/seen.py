"""What was seen of one command: files, groups of calls, refusals; each once, with how often, when first and by whom."""

import json
import posix
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from aisbx_linux.learning.calls import ESSENTIAL, PATHS, candidates, does
from aisbx_linux.seccomp import bpf
from aisbx_linux.seccomp.table import GROUPS, allowed_calls, expand
from aisbx_linux.seccomp.verdict import decide
from aisbx_linux.watching.calls import memory_of

_MOST, _ROOM = 50_000, 32 << 20
"""Paths that are kept, and bytes of them; of further ones there is only how many there were."""
_MOST_REFUSED = 2000
_LONGEST = 4096
_CURRENT = -100
"""AT_FDCWD (openat(2))."""
_OURS = posix.readlink("/proc/self/exe")
"""The program of who joins sandboxes, as of who observes them."""
_TASK_FLAGS, _FORKED = 6, 0x40


@dataclass(slots=True)
class Noted:
    """How often, when first (seconds since the epoch), and which program."""

    first: float
    program: str
    times: int = 1
    there: bool = False
    """Of a path: it was there, inside, when it was first asked for."""


class Seen:
    """All of it, for one filter."""

    def __init__(self, names: Mapping[int, str], groups: Sequence[str]) -> None:
        """`names` are those of calls by number, `groups` those that the filter allows."""
        self._names = names
        self._files: dict[tuple[str, str], Noted] = {}
        self._needs: dict[str, tuple[str, Noted]] = {}
        self._refused: dict[str, tuple[dict[str, object], Noted]] = {}
        self._lost, self._room = 0, _ROOM
        own = expand(groups)
        self._own = own
        self._without = {name: _without(own, name) for name in candidates(groups)}

    def allowed(self, number: int, thread: int, values: Sequence[int], waits: Callable[[], bool]) -> None:
        """Note a call that goes on; what was read of its process counts only if it `waits` afterwards."""
        call = self._names.get(number, "")
        for group, (groups, calls) in self._without.items():
            if call in GROUPS[group].calls and decide(call, values, groups, calls) != bpf.RET_ALLOW:
                known = self._needs.get(group)
                if known is None:
                    self._needs[group] = call, Noted(time.time(), _program(thread))
                else:
                    known[1].times += 1
        if call not in PATHS:
            return
        paths = _paths(call, thread, values)
        kind = does(call, values)
        told = [(path, self._files.get((kind, path)) or self._note(thread, path)) for path in paths if path]
        if not waits():
            return
        for path, noted in told:
            key = (kind, path)
            if key in self._files:
                noted.times += 1
            elif len(self._files) < _MOST and self._room > 0:
                self._files[key] = noted
                self._room -= len(path)
            else:
                self._lost += 1

    def refused(self, told: Mapping[str, object]) -> None:
        """Note a call that was refused, as `aisbx_linux.watching.refused` tells of it."""
        row = {name: told.get(name, "") for name in ("what", "arguments", "errno", "why", "grant", "program")}
        key = json.dumps(row, default=str)
        known = self._refused.get(key)
        if known is not None:
            known[1].times += 1
        elif len(self._refused) < _MOST_REFUSED:
            self._refused[key] = row, Noted(time.time(), str(row["program"]))
        else:
            self._lost += 1

    def report(self) -> dict[str, object]:
        """Give all of it as plain data."""
        return {
            "files": [
                {"path": path, "kind": kind, "there": noted.there, **_row(noted)}
                for (kind, path), noted in self._files.items()
            ],
            "syscalls": self._syscalls(),
            "spare": sorted(self._without.keys() - self._needs.keys()),
            "needs": [{"group": group, "call": call, **_row(noted)} for group, (call, noted) in self._needs.items()],
            "refused": [{**row, **_row(noted)} for row, noted in self._refused.values()],
            "lost": self._lost,
        }

    def _syscalls(self) -> list[str]:
        """Give the groups that a filter needs for what was seen: whole sets by their name, where all of one is."""
        used = (ESSENTIAL & self._own) | self._needs.keys()
        whole = [name for name in self._own if GROUPS[name].includes and GROUPS[name].includes <= used]
        within = {part for name in whole for part in GROUPS[name].includes}
        return sorted({*whole, *(used - within)})

    @staticmethod
    def _note(thread: int, path: str) -> Noted:
        try:
            posix.lstat(f"/proc/{thread}/root{path}")
            there = True
        except (OSError, ValueError):
            there = False
        return Noted(time.time(), _program(thread), there=there)


def _without(groups: frozenset[str], name: str) -> tuple[frozenset[str], frozenset[str]]:
    """Give groups, and the calls they allow, without one and without those that include it."""
    left = frozenset(group for group in groups if group != name and name not in GROUPS[group].includes)
    return left, allowed_calls(left)


def _row(noted: Noted) -> dict[str, object]:
    return {"times": noted.times, "first": noted.first, "program": noted.program}


def _program(thread: int) -> str:
    """Give a process's program; "" where it has gone, or is still the one of ours that is to become the command."""
    try:
        program = posix.readlink(f"/proc/{thread}/exe")
        return "" if program == _OURS and _forked(thread) else program
    except OSError:
        return ""


def _forked(thread: int) -> bool:
    """Tell whether a process has executed nothing since it was forked (proc_pid_stat(5), field 9: PF_FORKNOEXEC)."""
    with open(f"/proc/{thread}/stat", "rb", buffering=0) as stream:
        return bool(int(stream.read().rpartition(b")")[2].split()[_TASK_FLAGS]) & _FORKED)


def _paths(call: str, thread: int, values: Sequence[int]) -> list[str]:
    """Give the paths of a call, absolute as they are inside; "" where there is none, or it can't be told."""
    found: list[str] = []
    directory = _CURRENT
    for word, place in PATHS[call][1]:
        if word == "at":
            directory = values[place] & 0xFFFF_FFFF
            directory = directory - (1 << 32) if directory >> 31 else directory
        elif word == "path":
            found.append(_absolute(thread, directory, memory_of(thread, values[place], _LONGEST)))
            directory = _CURRENT
    return found


def _absolute(thread: int, directory: int, data: bytes) -> str:
    text = data.partition(b"\0")[0].decode(errors="surrogateescape")
    if not text:
        return ""
    if not text.startswith("/"):
        link = "cwd" if directory == _CURRENT else f"fd/{directory}"
        try:
            text = f"{posix.readlink(f'/proc/{thread}/{link}')}/{text}"
        except OSError:
            return ""
    return _normal(text)


def _normal(path: str) -> str:
    """Give a path without `.`, `..` and empty parts: a name for people, and nothing is opened by it."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part and part != ".":
            parts.append(part)
    return "/" + "/".join(parts)
