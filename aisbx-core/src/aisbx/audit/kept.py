"""The audit log of a process that writes many records: opened once, and looked at before each command."""

import os
import threading

from aisbx.audit.write import append, open_log


class KeptLog:
    """A log that stays open; any number of threads may use it."""

    def __init__(self, path: str, reserve: str) -> None:
        """Open nothing yet; `reserve` is space for a full disk (see `aisbx.audit.reserve`)."""
        self.path = path
        self._reserve = reserve
        self._lock = threading.Lock()  # a lock on the file is the descriptor's, which all threads have
        self._log = -1
        self._known: tuple[int, ...] = ()

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
        """Write one record, to the file that `ready` has seen; OSError where it cannot be."""
        with self._lock:
            append(self._log, line, self._reserve)

    def _open(self) -> None:
        log = open_log(self.path)
        status = os.fstat(log)
        if self._log >= 0:
            os.close(self._log)
        self._log = log
        self._known = (os.getpid(), status.st_dev, status.st_ino, status.st_mode, status.st_uid)

    def __del__(self) -> None:
        """Close it once nobody has it."""
        if self._log >= 0:
            os.close(self._log)
