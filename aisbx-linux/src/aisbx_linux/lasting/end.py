"""End a sandbox that lasts, and undo, once, what was planted in its workspace. Builtin modules only."""

import posix
import time

from aisbx_linux.lasting.identity import lives, open_process, other_version, recall, send_to

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal

    from aisbx_linux.lasting.identity import Held
else:
    import _signal  # the C module: `signal` costs milliseconds for its enumerations

_PATIENCE = 5.0
_KILL = 9
_SETTLED = "settled"


def end(home: str) -> list[str]:
    """End its processes, take its cgroups away, and undo what was planted for the host; gives the findings.

    What appears in the workspace after that is the host's own: another call changes nothing. OSError where it does not
    end.
    """
    known = recall(home)
    held = known or other_version(home)
    if held is None:
        return []
    if lives(held):
        _kill(held)
    if held["forwarder"] is not None:
        send_to(held["forwarder"], _KILL)
    for group in held["groups"]:
        _remove(group)
    if known is None:
        return ["another version of aisbx made it: what it may have planted in its workspace was not looked for"]
    return [] if settled(home) else _settle(held, home)


def settled(home: str) -> bool:
    """Tell whether it was ended, and its workspace looked at."""
    try:
        posix.stat(f"{home}/{_SETTLED}")
    except FileNotFoundError:
        return False
    return True


def _kill(held: "Held") -> None:
    """Kill the tool, which takes all with it, and the first process too, should the tool be gone already."""
    import select

    for born in (held["tool"], held["first"]):
        try:
            process = open_process(born)
        except (ProcessLookupError, OSError):
            continue
        try:
            _signal.pidfd_send_signal(process, _KILL)
            watched = select.poll()
            watched.register(process, select.POLLIN)
            if not watched.poll(_PATIENCE * 1000):
                raise OSError("the sandbox does not end")
        except ProcessLookupError:
            pass
        finally:
            posix.close(process)


def _remove(group: str) -> None:
    """Remove a group and those below it: nothing of the sandbox runs any more."""
    from aisbx_linux.cgroup.below import limited
    from aisbx_linux.cgroup.group import PREFIX

    group = limited(group)
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            for name in posix.listdir(group):
                if name.startswith(PREFIX):
                    posix.rmdir(f"{group}/{name}")
            posix.rmdir(group)
        except FileNotFoundError:
            return
        except OSError:
            if time.monotonic() > until:
                return  # the next run in this place removes it
            time.sleep(0.005)  # the last process, or a helper, is on its way out
        else:
            return


def _settle(held: "Held", home: str) -> list[str]:
    from aisbx_linux.guard import Guard

    guard = Guard(held["plan"], held["state"], f"{home.rpartition('/')[2]}-{posix.urandom(4).hex()}")
    try:
        guard.since(f"{home}/baseline")
    except OSError as error:
        return [str(error)]
    findings = guard.settle()
    try:
        posix.close(posix.open(f"{home}/{_SETTLED}", posix.O_WRONLY | posix.O_CREAT | posix.O_CLOEXEC, 0o600))
    except OSError as error:
        findings = [*findings, f"{home}: {error.strerror}: what appears in the workspace is looked at once more"]
    return findings
