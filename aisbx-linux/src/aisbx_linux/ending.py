"""What the end of a launch means: exit codes, and why a command never ran. Builtin modules only."""

import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from aisbx.types import Failure, LaunchResult

    from aisbx_linux.bounds import Bounds
    from aisbx_linux.relay import Output
    from aisbx_linux.wire import Wires

TIMED_OUT = 124
REFUSED, CANNOT_RUN, NOT_FOUND = 125, 126, 127
SHELL_SIGNAL_BASE = 128
_LAST_SIGNAL = 64
_EXIT_CODE = b'"exit-code":'
TOO_LITTLE = "is less than it takes to start a sandbox"
"""How a refusal of a limit ends (`cgroup.group`)."""


def ran(report: bytes) -> bool:
    """Tell whether the tool reported the end of the command: it only does for one that it could execute."""
    return _EXIT_CODE in report


def number(report: bytes, key: bytes) -> int:
    """Give the integer after a key of bubblewrap's flat JSON, 0 if there is none."""
    _, found, rest = report.partition(key)
    digits = rest.lstrip().split(b",")[0].split(b"}")[0].strip()
    return int(digits) if found and digits.isdigit() else 0


def killed_by(status: int) -> int:
    """Give the signal that ended the tool from outside, 0 if none did; a helper passes it on as 128+N."""
    code = posix.waitstatus_to_exitcode(status)
    return -code if code < 0 else code - SHELL_SIGNAL_BASE if code > SHELL_SIGNAL_BASE else 0


def failure_of(told: str, command: str, status: int) -> "Failure | None":
    """Say why a command never ran, by what the tool told; None where somebody killed the tool before it could tell."""
    if killed_by(status) and not told:
        return None
    if "Exceeded maximum number of arguments" in told:
        why = "Argument list too long: bubblewrap takes 9000 words, and some hundred of its own count too"
        return "command-not-executable", f"{command}: {why}", "pass fewer at a time (xargs), or a file of them"
    if "execvp" not in told:
        return _with_remedy(told or "the sandbox could not be made", told)
    return not_executed(told, command)


def unexplained(outputs: "Sequence[Output]", command: str, status: int) -> "Failure | None":
    """Say why a command never ran, by what the tool said on its streams; see `failure_of`."""
    told = b"".join(relay.held + bytes(relay.captured) for relay in outputs)
    return failure_of(told.decode(errors="replace").strip(), command, status)


def not_executed(told: str, command: str) -> "Failure":
    """Say why a command was not executed, by what execve(2) says of it (strerror(3)), at the end of what was told."""
    if told.endswith("No such file or directory"):
        return "command-not-found", f"{command}: not found inside the sandbox", ""
    return "command-not-executable", f"{command}: {told.rpartition(': ')[2]}", ""


def reworded(told: str, command: str) -> str:
    """Give our line for what setsid says, on a terminal, of a command that it cannot execute; "" for anything else.

    A command can say the same: so it is words for a person, and no failure in the record.
    """
    if "\n" in told or not told.startswith(f"setsid: failed to execute {command}: "):
        return ""
    return ": ".join(not_executed(told, command)[:2])


def refused(message: str) -> "Failure":
    """Say why a launcher could not go on; where the kernel refused it something, with what to do about that."""
    if message.endswith(TOO_LITTLE):
        return "launch", message, "ask for more"
    return _with_remedy(message, message) if message.endswith("was refused") else ("launch", message, "")


def aborted(error: Exception) -> "Failure":
    """Say that a run was ended in its midst, by what went wrong in the launcher."""
    return "aborted", str(error) or type(error).__name__, "see what its command did before you run it again"


def _with_remedy(message: str, refusal: str) -> "Failure":
    from aisbx_linux.remedy import MOUNT_PROC, OTHERS_PROC, others_proc, remedy

    return ("launch", OTHERS_PROC, MOUNT_PROC) if others_proc() else ("launch", message, remedy(refusal))


def exit_code(report: bytes, status: int, asked: int) -> int:
    """Give the code of a command that ran, or of a tool that was ended; `asked` is the signal we passed on last."""
    if ran(report):
        return number(report, _EXIT_CODE)
    signal = killed_by(status)
    return SHELL_SIGNAL_BASE + (asked or signal) if signal else posix.waitstatus_to_exitcode(status)


def code_of(failure: "Failure") -> int:
    """Give the exit code of a failure."""
    return {"command-not-found": NOT_FOUND, "command-not-executable": CANNOT_RUN}.get(failure[0], REFUSED)


def signal_of(code: int) -> int:
    """Give the signal that an exit code stands for, 0 if none."""
    return code - SHELL_SIGNAL_BASE if SHELL_SIGNAL_BASE < code <= SHELL_SIGNAL_BASE + _LAST_SIGNAL else 0


def composed(
    code: int,
    failure: "Failure | None",
    bounds: "Bounds",
    wires: "Wires | None",
    took: "tuple[float, float, float, int]",
    findings: "list[str]",
) -> "LaunchResult":
    """Put a result together; `took` is wall, user and system time in seconds, and bytes of the largest resident set."""
    stdout, stderr = (wires.stdout, wires.stderr) if wires else (None, None)
    return {
        "code": code,
        "signal": signal_of(code),
        "timed_out": bounds.timed_out,
        "oom_killed": "oom_killed" in bounds.happened,
        "pids_limited": "pids_limited" in bounds.happened,
        "duration": took[0],
        "user_seconds": took[1],
        "system_seconds": took[2],
        "max_rss_bytes": took[3],
        "stdout": bytes(stdout.captured) if stdout else b"",
        "stderr": bytes(stderr.captured) if stderr else b"",
        "stdout_bytes": stdout.passed if stdout else 0,
        "stderr_bytes": stderr.passed if stderr else 0,
        "stdout_dropped": stdout.dropped if stdout else 0,
        "stderr_dropped": stderr.dropped if stderr else 0,
        "findings": findings,
        "failure": failure,
    }
