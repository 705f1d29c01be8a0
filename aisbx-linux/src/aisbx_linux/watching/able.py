"""Whether a sandbox can be watched here, by what, and what who watches it has to know."""

import os
import subprocess
import sys
from functools import cache
from typing import TYPE_CHECKING

from aisbx.errors import ControlError

from aisbx_linux.lasting import asking
from aisbx_linux.seccomp import bpf
from aisbx_linux.seccomp.compile import ARCHITECTURES, call_names
from aisbx_linux.watching import notify

if TYPE_CHECKING:
    from aisbx_linux.lasting.identity import Held

_HAND = {"x86_64": 46, "aarch64": 211}
"""sendmsg(2): the call by which a listener gets out of the sandbox, from behind its own filter."""
_BUSY = 16
_PATIENCE = 10.0


def to_tell(held: "Held", home: str) -> dict[str, object]:
    """Give what is to be known of any calls, as plain data; ControlError where they can't be told of."""
    hint = "leave out --monitor, or write --no-monitor"
    if problem := _problem(held["plan"]["filter"]):
        raise ControlError(f"refused system calls cannot be told of: {problem}", control="sys:filter", hint=hint)
    machine = os.uname().machine
    return {"home": home, "names": _names(machine), "arch": ARCHITECTURES[machine]}


def to_watch(held: "Held", home: str) -> dict[str, object]:
    """Give what is to be known of refused calls, as `to_tell` does."""
    watch = held["watch"]
    assert watch is not None  # noqa: S101 - it is to be watched
    return {**to_tell(held, home), "groups": watch[1], "probes": watch[2], "tool": held["tool"]}


def told(held: "Held", home: str, owner: "tuple[int, int] | None") -> bytes:
    """Give what the compiled program that watches has to know (`native/watcher.c`)."""
    watch = held["watch"]
    eager = watch is not None and watch[2]
    born = (*held["first"], *held["tool"], *(owner or ()))
    text = asking.text(home.encode("utf-8", "surrogateescape"))
    numbers = b"".join(asking.number(value) for value in (eager, owner is not None, *born))
    return text + numbers + asking.text(held["plan"]["filter"])


def unwatched(program: bytes) -> str:
    """Say why a sandbox with this filter is not watched unless that is asked for; empty where it can be."""
    return _problem(program) or uncompiled() or _busy()


def program() -> str:
    """Give where the compiled program that watches is, beside the interpreter; also where there is none."""
    return f"{sys.executable.rpartition('/')[0]}/aisbx-watcher"


def uncompiled() -> str:
    """Say why the compiled program that watches can't be used; empty where it can. Python does the same, for more."""
    if os.environ.get("AISBX_FRONT") == "0":
        return "AISBX_FRONT=0 turns off what watches at little cost"
    if not os.access(program(), os.X_OK):
        return f"{program()}, which watches at little cost, was not compiled, or can't be executed"
    return _cannot_start(program())


def _problem(filter_: bytes) -> str:
    if not notify.available():
        return "this kernel has no seccomp user notification (Linux 5.0, on x86_64 or aarch64)"
    machine = os.uname().machine
    if bpf.run(bpf.decode(filter_), _HAND[machine], ARCHITECTURES[machine], (0,) * 6) != bpf.RET_ALLOW:
        return "the profile's filter refuses sendmsg itself: it takes the group network-io (no network comes of it)"
    return ""


def _busy() -> str:
    if _tried(program()) == _BUSY:
        return "this process is watched by another already, as in a container whose runtime listens"
    return ""


def _cannot_start(path: str) -> str:
    return "" if _tried(path) >= 0 else f"{path} can't be started: is its file system mounted with noexec?"


_names = cache(call_names)


@cache
def _tried(path: str) -> int:
    """Give the errno with which a process here is refused a listener, 0 where it gets one; -1: it can't be tried."""
    try:
        done = subprocess.run(
            [path, "--try"], stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=_PATIENCE, env={}
        )
    except (OSError, subprocess.TimeoutExpired):
        return -1
    return done.returncode
