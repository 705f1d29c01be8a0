"""Carry an entry out and record it: where the full path and the lean front meet. Builtin modules only."""

import sys

from aisbx.audit.write import RESERVE, AuditError, ExportError, append, ending, open_log, prune, start

if sys.platform == "win32":
    import os as posix
else:
    import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aisbx.audit.write import Log
    from aisbx.types import LaunchRequest, LaunchResult, PlanEntry

UNRECORDED = 125


def carry_out(entry: "PlanEntry", request: "LaunchRequest", principal: str, host: str) -> "LaunchResult":
    """Run one command by a plan and append its audit record.

    AuditError before anything runs where there can be no record, ProcessLookupError where the sandbox that the command
    was to join has ended; where it cannot be written afterwards, the exit code
    is 125 and the failure says so.
    """
    log = open_log(entry["audit"])
    try:
        _reach(entry)
        launcher = __import__(entry["plan"]["launcher"], fromlist=("launch",))
        result: LaunchResult = launcher.launch(entry["plan"], request)
        record(log, entry, request, result, principal, host)
    finally:
        log.close()
    _tidy(entry, request, result)
    return result


def go_on(
    entry: "PlanEntry", request: "LaunchRequest", handed: "dict[str, list[str]]", principal: str, host: str
) -> "LaunchResult":
    """Carry an entry out from where the compiled front has got, and append the record.

    `handed` is what the front tells (`aisbx.cli.handed`). The command has run, or may have: so it is never started
    again, and what goes wrong with its record ends in a failure that says so.
    """
    _reach(entry)
    launcher = __import__(entry["plan"]["launcher"].rpartition(".")[0] + ".resume", fromlist=("resume",))
    result: LaunchResult = launcher.resume(entry["plan"], request, handed)
    if handed.get("done", ["0"])[0] == "0":  # else the front has written it
        try:
            log = open_log(entry["audit"])
            try:
                record(log, entry, request, result, principal, host)
            finally:
                log.close()
        except AuditError as error:
            told = f"{error}: this run has no record; the command itself ended with {result['code']}"
            result["failure"], result["code"] = ("state", told, "see that it is a file of yours alone"), UNRECORDED
    _tidy(entry, request, result)
    return result


def _reach(entry: "PlanEntry") -> None:
    for root in entry["roots"]:
        if root not in sys.path:
            sys.path.insert(0, root)


def _tidy(entry: "PlanEntry", request: "LaunchRequest", result: "LaunchResult") -> None:
    if request["keep_output"] and (result["stdout_bytes"] or result["stderr_bytes"]):
        prune(f"{entry['state']}/runs", entry["keep_runs"])


def record(
    log: "Log", entry: "PlanEntry", request: "LaunchRequest", result: "LaunchResult", principal: str, host: str
) -> None:
    """Append the record of a run that has ended; where it cannot be, the result says so."""
    failure = result["failure"]
    ended = failure is None or failure[0] == "aborted"
    kind = f"{entry['kind']}.{'end' if ended else 'refused'}"
    argv = request["argv"][:1] if entry["program_only"] else request["argv"]
    beginning = start(kind, request["run"], principal, host, argv)
    try:
        append(log, f"{beginning},{entry['record']},{ending(result)}", f"{entry['state']}/{RESERVE}")
    except OSError as error:  # no AuditError: the command has run, and must not be run again
        recorded = isinstance(error, ExportError)
        told = "this run has a record" if recorded else "this run has no record"
        told += f"; the command itself ended with {result['code']}"
        hint = "see audit.export" if recorded else "make room there"
        result["failure"] = ("state", f"{entry['audit']['path']}: {error.strerror}: {told}", hint)
        result["code"] = UNRECORDED


def new_run() -> str:
    """Give a run's id: twelve hexadecimal digits by chance."""
    return posix.urandom(6).hex()
