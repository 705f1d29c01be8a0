"""The audit log of a process that writes many records: opened once, and looked at before each command."""

import os
import threading

from aisbx.audit.compiled import CompiledLog, compiled
from aisbx.audit.write import Log, append, open_log
from aisbx.types import AuditPlace


class KeptLog:
    """A log that stays open; any number of threads may use it."""

    def __init__(self, place: AuditPlace, reserve: str) -> None:
        """Open nothing yet; `reserve` is space for a full disk (see `aisbx.audit.reserve`)."""
        self.path = place["path"]
        self._place = place
        self._reserve = reserve
        self._lock = threading.Lock()  # a lock on the file is the descriptor's, which all threads have
        self._log: Log | None = None
        self._known: tuple[int, ...] = ()
        self.compiled: CompiledLog | None = None
        """What writes a record as well, for whoever carries a command out; None where there is no library."""

    def ready(self) -> None:
        """See that a record could be written; AuditError where not (see `open_log`)."""
        try:
            status = os.lstat(self.path)
            seen = (os.getpid(), status.st_dev, status.st_ino, status.st_mode, status.st_uid)
        except OSError:
            seen = ()
        if not seen or seen != self._known:
            with self._lock:
                self._open()

    def write(self, line: str) -> None:
        """Write one record, to the log that `ready` has seen; OSError where it cannot be."""
        with self._lock:
            if self._log is None:
                self._open()
            append(self._log, line, self._reserve)  # pyright: ignore[reportArgumentType]  (it is open)
            self.compiled = compiled(self._place)  # another file may have the log's name by now

    def _open(self) -> None:
        log = open_log(self._place)
        status = os.fstat(log.file)
        if self._log is not None:
            self._log.close()
        self._log = log
        self.compiled = compiled(self._place)
        self._known = (os.getpid(), status.st_dev, status.st_ino, status.st_mode, status.st_uid)

    def __del__(self) -> None:
        """Close it once nobody has it."""
        if self._log is not None:
            self._log.close()
