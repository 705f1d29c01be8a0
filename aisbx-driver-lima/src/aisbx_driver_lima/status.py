"""How a command of the guest ended, as that says: whoever has taken it over can lie, but not make this side fall."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from aisbx.types import Captured, ExitStatus, exit_status


def read(told: Mapping[str, Any], duration: float, streams: Mapping[str, Captured]) -> ExitStatus:
    """Give it, `streams` being what came of `stdout` and `stderr`, and `duration` the seconds that were seen here.

    Raises what kept the command from running; ValueError, TypeError or KeyError for what is nothing of the kind.
    """
    failure = told.get("failure")
    status = exit_status(
        {
            "code": int(told["code"]) & 0xFF,
            "signal": int(told.get("signal", 0)),
            "timed_out": told.get("timed_out") is True,
            "oom_killed": told.get("oom_killed") is True,
            "pids_limited": told.get("pids_limited") is True,
            "duration": duration,
            "user_seconds": float(told.get("user_seconds", 0.0)),
            "system_seconds": float(told.get("system_seconds", 0.0)),
            "max_rss_bytes": int(told.get("max_rss_bytes", 0)),
            "stdout": b"",
            "stderr": b"",
            "stdout_bytes": 0,
            "stderr_bytes": 0,
            "stdout_dropped": 0,
            "stderr_dropped": 0,
            "findings": [str(line) for line in told.get("findings", ())],
            "failure": None if failure is None else (str(failure[0]), str(failure[1]), str(failure[2])),
        }
    )
    stdout, stderr = (
        Captured(stream.data, stream.dropped + int(told.get(f"{name}_dropped", 0)))
        for name, stream in (("stdout", streams["stdout"]), ("stderr", streams["stderr"]))
    )
    return replace(status, stdout=stdout, stderr=stderr)
