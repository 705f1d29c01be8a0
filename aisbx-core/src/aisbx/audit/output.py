"""The kept output of runs: `$XDG_STATE_HOME/aisbx/runs/RUN.log`, the bytes of stdout and stderr as they came."""

import os
from collections import deque

from aisbx.audit.read import open_log
from aisbx.errors import StateError, UsageError

SUFFIX = ".log"
CHUNK = 1 << 16


def kept_runs(directory: str) -> list[str]:
    """Give the ids of the runs whose output was kept, sorted."""
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StateError(
            f"{directory} cannot be read: {error.strerror}", hint="it must be a directory of yours"
        ) from error
    return sorted(name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX))


def find_run(directory: str, beginning: str) -> str:
    """Give the one run whose id is, or begins with, `beginning`.

    UsageError if several do; StateError if none does. The name is only ever compared, never made into a path.
    """
    runs = kept_runs(directory)
    if beginning in runs:
        return beginning
    found = [run for run in runs if beginning and run.startswith(beginning)]
    if len(found) > 1:
        raise UsageError(
            f"{beginning!r} is the beginning of {len(found)} runs", hint=f"write more of it, such as {found[0]}"
        )
    if not found:
        raise StateError(f"no output of a run {beginning!r} was kept", hint="see: aisbx logs")
    return found[0]


class Output:
    """The output of one run, read from its beginning or its last lines on, and further as it grows."""

    def __init__(self, directory: str, run: str, tail: int | None = None) -> None:
        """Open the file; StateError where it is not a plain file of ours."""
        try:
            self._handle = open_log(os.path.join(directory, run + SUFFIX))
        except FileNotFoundError as error:
            raise StateError(f"the output of {run} is gone", hint="see: aisbx logs") from error
        if tail is not None:
            self._handle.seek(self._start_of(tail))

    def read(self) -> bytes:
        """Give the next bytes, none where there are no more at present."""
        return self._handle.read(CHUNK)

    def close(self) -> None:
        """Close the file."""
        self._handle.close()

    def _start_of(self, tail: int) -> int:
        """Find where the last `tail` lines begin; one pass, and only that many offsets are kept."""
        starts: deque[int] = deque(maxlen=tail)
        position, fresh = 0, True
        while chunk := self._handle.read(CHUNK):
            if fresh:
                starts.append(position)
            feed = chunk.find(b"\n")
            while 0 <= feed < len(chunk) - 1:  # a line feed at the very end begins no line yet
                starts.append(position + feed + 1)
                feed = chunk.find(b"\n", feed + 1)
            fresh = chunk.endswith(b"\n")
            position += len(chunk)
        return starts[0] if starts else position
