"""Whose a sandbox is at present: one that was made before somebody asked for it is given away (`aisbx.engine.giving`).

For the processes that outlive who started them, and may have been started before that. Builtin modules only.
"""

import posix

RECORD = "sandbox.json"
"""The sandbox's record (`aisbx.store`), which says it."""
_FLAGS = posix.O_RDONLY | posix.O_NOFOLLOW | posix.O_CLOEXEC


class Whose:
    """Of the sandbox in one directory; when that has gone, whose it was."""

    def __init__(self, place: str, principal: str, opened: int = -1) -> None:
        """Begin with a principal's id; `opened` is the record as it was earlier, a descriptor, -1 for none."""
        self._path = f"{place}/{RECORD}"
        self._stamp = (0, 0)
        self._principal = principal
        if opened >= 0:
            self._read(opened)

    def now(self) -> str:
        """Give the principal's id."""
        try:
            status = posix.stat(self._path)
            if self._stamp != (stamp := (status.st_ino, status.st_mtime_ns)):
                self._read(posix.open(self._path, _FLAGS))
                self._stamp = stamp
        except OSError:
            pass  # it has ended, or is half made: what was known has to do
        return self._principal

    def _read(self, descriptor: int) -> None:
        import json  # most are never asked

        with open(descriptor, "rb") as stream:
            data = stream.read()
        if data:
            self._principal = json.loads(data)["principal"]
