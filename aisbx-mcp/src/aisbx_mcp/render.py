"""How results read to a model: what came of a command in one line, then what it printed, bounded."""

from aisbx.types import ExitStatus
from mcp.types import CallToolResult, ResourceLink, TextContent

from aisbx_mcp.output import Output
from aisbx_mcp.running import Running

CHARS = 30_000
"""Characters of output that a result has where nobody says otherwise."""


def text(*lines: str) -> CallToolResult:
    """Give text as a result."""
    return CallToolResult(content=[TextContent(type="text", text="\n".join(line for line in lines if line))])


def command_result(running: Running, most: int) -> CallToolResult:
    """Give a command as it is now: its end, or how to go on with it."""
    body = bounded(running.output, most, running.id)
    running.seen = running.output.size
    result = text(header(running), *_notes(running), body)
    if running.output.size > most:
        uri = f"aisbx://{running.sandbox}/logs/{running.id}"
        result.content.append(ResourceLink(type="resource_link", uri=uri, name=f"output of {running.id}"))
    return result


def bounded(output: Output, most: int, process: str) -> str:
    """Give the beginning and the end of output; `process` is by what the rest can be read, where it can."""
    head, left_out, tail = output.ends(most)
    if not left_out:
        return decoded(head)
    more = f"; process_output(process={process!r}, position={len(head)}) reads them" if process else ""
    return f"{decoded(head)}\n[... {left_out:,} bytes left out{more} ...]\n{decoded(tail)}"


def header(running: Running) -> str:
    """Say in one line how a command ended, or that it runs."""
    if running.lives:
        return f"[still running as process {running.id}; process_output waits for more, process_kill ends it]"
    if running.error is not None:
        return f"[exit {running.error.exit_code}: {running.error.message}]"
    if running.outcome is None:
        return "[it has ended]"
    status = running.outcome.status
    why = _why(status)
    return f"[exit {status.code}{f': {why}' if why else ''} after {running.seconds:.2f} s]"


def _why(status: ExitStatus) -> str:
    if status.timed_out:
        return "ended by its time limit"
    if status.oom_killed:
        return "out of memory: it reached the sandbox's memory limit"
    if status.pids_limited and status.code:
        return "it reached the sandbox's limit of processes"
    return f"killed by signal {status.signal}" if status.signal else ""


def _notes(running: Running) -> list[str]:
    if running.outcome is None:
        return []
    status = running.outcome.status
    dropped = status.stdout.dropped + status.stderr.dropped
    notes = [f"[note: {finding}]" for finding in status.findings]
    return [*notes, f"[note: {dropped:,} bytes beyond its output limit were dropped]"] if dropped else notes


def decoded(data: bytes) -> str:
    """Give bytes as text; what the cut left of a character at either end is left out."""
    start = 0
    while start < min(3, len(data)) and data[start] & 0xC0 == 0x80:  # noqa: PLR2004 - UTF-8's continuation bytes
        start += 1
    return data[start:].decode(errors="replace")
