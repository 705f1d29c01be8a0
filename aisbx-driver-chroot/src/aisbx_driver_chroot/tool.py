"""Find a Python that can carry `aisbx_linux.confine`, and see whether that works here."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace

from aisbx.types import Probe
from aisbx_linux import cradle
from aisbx_linux.confine import carry
from aisbx_linux.local import memo
from aisbx_linux.local.driver import Tool
from aisbx_linux.local.trial import ARGUMENTS, OUTSIDE_ID, PLAIN, PRIVILEGED, ground, reachable, trial, unfit
from aisbx_linux.remedy import remedy

SYSTEM = ("/usr/bin/python3", "/usr/local/bin/python3")
"""Where everybody's Python is: for root, whose sandboxes are another user's from the start."""
WHOLE = "with user namespaces: all that the driver can do"
LEVELS = {
    "privileged": "no user namespace can be made: root makes the others, and gives up its privileges",
    "plain": "no namespaces can be made: chroot(2) alone",
}
"""What is done with less, and why, as `aisbx doctor` tells it."""
NO_LEVEL = "none: only root has something in the place of user namespaces"
CALLED = "the tool"
"""What it is to people."""
_INSTALL = "apt-get install python3"
_BY_HAND = "see whether this kernel lets you make namespaces: unshare --user --map-root-user --mount --pid --fork true"


def probe(settings: Mapping[str, object], remembered: str) -> tuple[Tool | None, Probe]:
    """Find the first interpreter that will do (the settings', the one that runs now, the system's) and try it.

    It is tried with one empty sandbox, as the user that it would run as. `remembered` is a private directory that
    keeps what worked, under all that it depends on, for the next time; what is refused is tried anew each time.
    """
    if refused := ground():
        return None, refused
    reasons: list[str] = []
    inputs = tuple(file for _, file in carry.files())
    for path, origin in _candidates(settings):
        reason = unfit(path)
        if not reason and os.geteuid() == 0 and not reachable(path):
            reason = "lies where only root can enter, and root's sandboxes are another user's"
        code, reason = (b"", reason) if reason else _code(path)
        if reason:
            reasons.append(f"{path} {reason}")
            continue
        tool = Tool(path, os.uname().release, origin, CALLED, carry.WORDS, (code,), inputs)
        name = memo.key(path, str(OUTSIDE_ID), code.hex(), *ARGUMENTS)
        if memo.recall(remembered, name) is not None:
            return tool, Probe(usable=True, facts={**_facts(tool), "level": WHOLE})
        refusal = trial(path, OUTSIDE_ID if os.geteuid() == 0 else None, tool.words, tool.files)
        if not refusal:
            memo.keep(remembered, name, "it works")
            return tool, Probe(usable=True, facts={**_facts(tool), "level": WHOLE})
        mend = remedy(refusal) or _BY_HAND
        if os.geteuid() == 0 and (less := _less(tool)) is not None:
            told = f"{less.level}: {LEVELS[less.level]}; for all that the driver can do: {mend}"
            return less, Probe(usable=True, facts={**_facts(tool), "level": told})
        level = {} if os.geteuid() == 0 or cradle.makes_users() else {"level": NO_LEVEL}
        return tool, Probe(usable=False, reason=refusal, remedy=mend, facts={**_facts(tool), **level})
    return None, Probe(usable=False, reason="; ".join(reasons) or "there is no Python here", remedy=_INSTALL)


def _less(tool: Tool) -> Tool | None:
    """Give what works with less, for root where the kernel makes no user namespace; None where nothing does."""
    if cradle.makes_users():
        return None  # something else is wrong, which is no reason to do with less
    become = ("--become", f"{OUTSIDE_ID}:{OUTSIDE_ID}")
    for level, arguments in (("privileged", PRIVILEGED), ("plain", PLAIN)):
        if level == "plain" and cradle.possible():
            return None
        if not trial(tool.path, None, tool.words, tool.files, (*become, *arguments)):
            return replace(tool, level=level)
    return None


def _candidates(settings: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    chosen = settings.get("python")
    if isinstance(chosen, str) and chosen:
        yield os.path.realpath(chosen), "settings"
        return
    yield os.path.realpath(sys.executable), "own"
    for path in SYSTEM:
        if os.path.exists(path):
            yield os.path.realpath(path), "system"


def _code(path: str) -> tuple[bytes, str]:
    """Give the tool's code as this interpreter takes it, or why it takes none."""
    if path == os.path.realpath(sys.executable):
        return carry.code(), ""
    try:
        done = subprocess.run(
            [path, "-I", "-S", "-c", carry.COMPILE, *(word for pair in carry.files() for word in pair)],
            capture_output=True,
            check=False,
            timeout=20,
            env={},
        )
    except (OSError, subprocess.SubprocessError) as error:
        return b"", f"does not run: {error}"
    if done.returncode:
        told = done.stderr.decode(errors="replace").strip().splitlines() or [f"it ended with {done.returncode}"]
        return b"", f"cannot run the tool: {told[-1]}"
    return done.stdout, ""


def _facts(tool: Tool) -> dict[str, str]:
    return {"path": tool.path, "origin": tool.origin, "kernel": tool.version}
