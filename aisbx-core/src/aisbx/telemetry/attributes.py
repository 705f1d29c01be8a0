"""What of an event becomes an attribute of a span: these and nothing else, so that no secret can.

A command's words, its variables, its input and output, paths and the texts of errors are not among them: each may hold
what only its owner should see.
"""

from collections.abc import Mapping
from typing import cast

LONGEST = 128
"""Characters of a text; the rest is cut."""
PLAIN = (
    "host",
    "what",
    "scope",
    "principal",
    "policy",
    "allow",
    "rule",
    "run",
    "sandbox",
    "profile",
    "driver",
    "exit_code",
    "signal",
    "timed_out",
    "oom_killed",
    "pids_limited",
    "output_truncated",
    "duration",
)
USAGE = ("user_seconds", "system_seconds", "max_rss_bytes")


def of(data: Mapping[str, object]) -> dict[str, str | bool | int | float]:
    """Give the attributes of an event's data, each `aisbx.NAME`."""
    found = {name: data[name] for name in PLAIN if name in data}
    usage, error = data.get("usage"), data.get("error")
    if isinstance(usage, Mapping):
        given = cast("Mapping[str, object]", usage)
        found |= {f"usage.{name}": given[name] for name in USAGE if name in given}
    if code := code_of(error):
        found["error.code"] = code
    return {f"aisbx.{name}": _bounded(value) for name, value in found.items() if isinstance(value, (str, int, float))}


def code_of(error: object) -> str:
    """Give the code of an error's record, "" where that is none."""
    code = cast("Mapping[str, object]", error).get("code") if isinstance(error, Mapping) else ""
    return code if isinstance(code, str) else ""


def _bounded(value: str | float) -> str | bool | int | float:
    return value[:LONGEST].encode(errors="replace").decode() if isinstance(value, str) else value
