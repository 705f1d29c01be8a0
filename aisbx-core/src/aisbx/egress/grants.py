"""Rules that were added to a sandbox while it runs, with their ends: a file in its private directory."""

import json
import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from aisbx.paths import locked, write_own

_FILE, _LOCK = "grants.json", "grants.lock"


@dataclass(frozen=True, slots=True)
class Grant:
    """A rule, and until when it holds: seconds since the epoch, 0 for as long as the sandbox is there."""

    rule: str
    until: float = 0.0


def read(home: str) -> list[Grant]:
    """Give the grants that hold now; StateError or ValueError for a file that is none of ours."""
    try:
        with open(f"{home}/{_FILE}", "rb") as stream:
            rows = json.load(stream)
    except FileNotFoundError:
        return []
    now = time.time()
    return [Grant(rule, until) for rule, until in rows if not until or until > now]


@contextmanager
def changing(home: str) -> Generator[list[Grant]]:
    """Give the grants that hold now, as `read` does, to be changed in place: that list holds afterwards.

    Of two that change them at once one waits for the other. Where the block raises, nothing is changed.
    """
    from pathlib import Path

    with locked(Path(home) / _LOCK):
        grants = read(home)
        yield grants
        write_own(Path(home) / _FILE, json.dumps([[grant.rule, grant.until] for grant in grants]).encode())


class Granted:
    """The rules of a sandbox as they are now, at each call."""

    def __init__(self, rules: tuple[str, ...], home: str) -> None:
        """`home` is the directory of a sandbox that lasts; empty for a run, which is granted nothing."""
        self._rules = rules
        self._home = home
        self._stamp: tuple[int, int, int] | None = None
        self._grants: list[Grant] = []

    def __call__(self) -> tuple[str, ...]:
        """Give them. A file that cannot be read grants nothing."""
        if not self._home:
            return self._rules
        try:
            status = os.stat(f"{self._home}/{_FILE}")
            stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
            if stamp != self._stamp:
                self._grants, self._stamp = read(self._home), stamp
        except (OSError, ValueError, TypeError):
            self._grants, self._stamp = [], None
        now = time.time()
        return (*self._rules, *(grant.rule for grant in self._grants if not grant.until or grant.until > now))
