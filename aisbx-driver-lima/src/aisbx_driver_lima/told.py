"""What goes to the guest and comes back as JSON: a command, and how it ended, which is checked: the guest may lie.

Builtin modules only: `aisbx exec` loads this from a plan.
"""

import _json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from aisbx.types import Failure, LaunchResult

NONSENSE = (ValueError, TypeError, KeyError, AttributeError)
"""What `parse` and `ended` raise for what they can't make sense of."""
_LARGEST, _INFINITE = 1 << 63, float("inf")
_CODES = ("aborted", "command-not-executable", "command-not-found", "launch", "state")
"""Of failures that there are."""


def _whole(text: str) -> int:
    if abs(found := int(text)) >= _LARGEST:
        raise ValueError("a number in it is too large")
    return found


def _finite(text: str) -> float:
    if not abs(found := float(text)) < _INFINITE:
        raise ValueError(f"{text} is no number")
    return found


class _Rules:
    """As `json.JSONDecoder` reads."""

    strict = True
    object_hook = object_pairs_hook = None
    parse_int = staticmethod(_whole)
    parse_float = parse_constant = staticmethod(_finite)


def parse(data: bytes) -> "Any":  # noqa: ANN401 - JSON
    """Give what JSON of the guest's says; ValueError for what is none, or nothing that everybody here could take."""
    text = data.decode()
    try:
        value, end = _json.make_scanner(_Rules)(text, 0)  # pyright: ignore[reportArgumentType]
        if end == len(text):
            return value
    except Exception:  # noqa: BLE001, S110 - `json`, which takes milliseconds to import, says what is wrong
        pass
    from json import loads

    try:
        return loads(text, parse_int=_whole, parse_float=_finite, parse_constant=_finite)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def number(value: object) -> float:
    """Give a number of what `parse` gave; TypeError for what is none, such as the text `inf`."""
    if not isinstance(value, int | float):
        raise TypeError(f"{value!r:.40} is no number")
    return value


def write(value: "Any") -> str:  # noqa: ANN401 - JSON
    """Give JSON of a bool, int, finite float, str, list or str-keyed dict; surrogate escapes come through."""
    if isinstance(value, str):
        return _json.encode_basestring_ascii(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return f"{{{','.join(_pairs(value.items()))}}}"  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]
    if isinstance(value, list):
        return f"[{','.join(map(write, value))}]"  # pyright: ignore[reportUnknownArgumentType]
    return repr(value)


def _pairs(rows: "Iterable[tuple[str, Any]]") -> "list[str]":
    return [f"{_json.encode_basestring_ascii(name)}:{write(value)}" for name, value in rows]


def ended(told: "Mapping[str, Any]", seen: float, streams: "Mapping[str, tuple[bytes, int]]") -> "LaunchResult":
    """Give how a command ended; one of `NONSENSE` for what is nothing of the kind.

    `streams` has what was captured of `stdout` and `stderr` and the bytes that were not kept, `seen` is the seconds
    that passed here: a command took what the guest says, as elsewhere without the way to it, but no longer than that.
    """
    failure: Failure | None = None
    if (found := told.get("failure")) is not None:
        code, message, hint = map(str, found)
        if code not in _CODES:
            raise KeyError(code)
        failure = code, message, hint
    (stdout, lost), (stderr, dropped) = streams["stdout"], streams["stderr"]
    return {
        "code": int(number(told["code"])) & 0xFF,
        "signal": int(number(told.get("signal", 0))),
        "timed_out": told.get("timed_out") is True,
        "oom_killed": told.get("oom_killed") is True,
        "pids_limited": told.get("pids_limited") is True,
        "duration": max(0.0, min(seen, float(number(told.get("duration", seen))))),
        "user_seconds": float(number(told.get("user_seconds", 0.0))),
        "system_seconds": float(number(told.get("system_seconds", 0.0))),
        "max_rss_bytes": int(number(told.get("max_rss_bytes", 0))),
        "stdout": stdout,
        "stderr": stderr,
        "stdout_bytes": int(number(told.get("stdout_bytes", 0))),
        "stderr_bytes": int(number(told.get("stderr_bytes", 0))),
        "stdout_dropped": lost + int(number(told.get("stdout_dropped", 0))),
        "stderr_dropped": dropped + int(number(told.get("stderr_dropped", 0))),
        "findings": [str(line) for line in told.get("findings", ())],
        "failure": failure,
    }


def failed(code: str, message: str, hint: str, duration: float = 0.0) -> "LaunchResult":
    """Give the result of a command that failed so; what there is no such code for is a launch that failed."""
    failure, nothing = (code if code in _CODES else "launch", message, hint), (b"", 0)
    exit_code = {"command-not-executable": 126, "command-not-found": 127}.get(code, 125)
    return ended({"code": exit_code, "failure": failure}, duration, {"stdout": nothing, "stderr": nothing})
