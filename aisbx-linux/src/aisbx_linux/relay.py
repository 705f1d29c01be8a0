"""Move bytes between the caller's descriptors and the sandbox's, and let nothing else through.

The inside only ever holds pipes and ptys that were made for the run: through a caller's own descriptor it
could reopen and truncate the file behind it. So every stream is relayed, without ever blocking and without
changing flags on descriptors that the caller shares with others. On the hot path: builtin modules only.
"""

import posix

from aisbx_linux.processes import write_all

CHUNK = 1 << 16
# POLLOUT on a pipe, socket or terminal promises room for this much, no more (pipe(7): PIPE_BUF).
SAFE_WRITE = 4096
POLLIN, POLLOUT = 1, 4
_SPLICE_F_NONBLOCK = 2
_S_IFMT, _S_IFIFO, _S_IFREG, _S_IFCHR = 0o170000, 0o010000, 0o100000, 0o020000
_NULL_DEVICE = (1, 3)
# What the tool says on stderr, in this form, before the command runs is its own report, not the command's.
TOOL_REPORT = (b"bwrap: ", b"confine: ")
# On a terminal also what setsid(1), which makes it the command's, says in place of a command that it cannot execute.
SETSID_REPORT = b"setsid: failed to execute "
TERMINAL_REPORTS = (*TOOL_REPORT, SETSID_REPORT)
_LONGEST_REPORT = 8192
_LARGEST_PIPE = 1 << 20
_EIO = 5


def kind_of(descriptor: int) -> str:
    """Tell "null", "pipe", "file" or "other" (terminal, socket, device) for an open descriptor."""
    status = posix.fstat(descriptor)
    form = status.st_mode & _S_IFMT
    if form == _S_IFIFO:
        return "pipe"
    if form == _S_IFREG:
        return "file"
    if form == _S_IFCHR and (posix.major(status.st_rdev), posix.minor(status.st_rdev)) == _NULL_DEVICE:
        return "null"
    return "other"


class Budget:
    """How many bytes of output may still pass, shared by all streams of a run; `limit` 0 means any number."""

    __slots__ = ("left", "limited", "log", "log_left")

    def __init__(self, limit: int, log: "Log | None") -> None:
        """Start with `limit` bytes to pass on; what passes is also kept in `log` up to its own bound."""
        self.limited = limit > 0
        self.left = limit
        self.log = log
        self.log_left = log.bound if log else 0

    def close(self) -> None:
        """Keep nothing more."""
        if self.log:
            self.log.close()

    def lost(self) -> "list[str]":
        """Say that something was not kept, where that is so."""
        if self.log is None or not self.log.error:
            return []
        return [f"output: it is not kept any more: {posix.strerror(self.log.error)}: {self.log.path}"]


class Log:
    """The file that keeps the beginning of a run's output; made only when there is output."""

    __slots__ = ("bound", "descriptor", "error", "path")

    def __init__(self, path: str, bound: int) -> None:
        """Keep at most `bound` bytes in a new file at `path` (mode 0600)."""
        self.path = path
        self.bound = bound
        self.descriptor = -1
        self.error = 0
        """The errno with which the file system refused bytes; from then on nothing is added."""

    def append(self, data: bytes) -> None:
        """Add bytes; the file is private and never follows a link. A full disk does not end the run: see `error`."""
        if self.error:
            return
        try:
            if self.descriptor < 0:
                flags = posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | posix.O_NOFOLLOW | posix.O_CLOEXEC
                self.descriptor = posix.open(self.path, flags, 0o600)
            write_all(self.descriptor, data)
        except OSError as error:
            self.error = error.errno or _EIO

    def close(self) -> None:
        """Close the file if it was made."""
        if self.descriptor >= 0:
            posix.close(self.descriptor)
            self.descriptor = -1


class Output:
    """One stream from the sandbox to the caller's descriptor, or into memory when `target` is -1."""

    __slots__ = (
        "budget",
        "capture",
        "captured",
        "direct",
        "dropped",
        "error",
        "held",
        "holding",
        "passed",
        "pending",
        "source",
        "step",
        "target",
    )

    def __init__(
        self, source: int, target: int, budget: Budget, *, capture: int = 0, holding: "tuple[bytes, ...]" = ()
    ) -> None:
        """Read from `source`; what begins like a report of the tool's, as `holding` has them, is held back at first."""
        self.source = source
        self.target = target
        self.budget = budget
        self.capture = capture
        self.captured = bytearray()
        self.holding = holding
        self.held = b""
        self.pending = b""
        self.passed = 0
        self.dropped = 0
        self.error = 0
        """The errno with which the caller's descriptor refused bytes, 0 if it took all."""
        kind = kind_of(target) if target >= 0 else ""
        self.direct = kind == "pipe" and kind_of(source) == "pipe"
        self.step = CHUNK if kind in {"file", "null"} else SAFE_WRITE

    def wants(self) -> tuple[int, int]:
        """Give the descriptor and poll event that the next step waits for; (-1, 0) when the stream is done."""
        if self.pending:
            return self.target, POLLOUT
        return (self.source, POLLIN) if self.source >= 0 else (-1, 0)

    def step_on(self) -> None:
        """Do one step after `wants` was reported ready; never blocks."""
        if self.pending:
            self._write()
        elif self.source < 0:
            return  # ended by what became ready together with it
        elif not self._splice():
            try:
                data = posix.read(self.source, CHUNK)
            except BlockingIOError:
                return
            except OSError:
                data = b""  # EIO: the last holder of a pty is gone
            if not data:
                self.close()
            elif self.holding and (self.held or any(prefix.startswith(data[: len(prefix)]) for prefix in self.holding)):
                self.held += data  # the tool writes its report in pieces
                if len(self.held) > _LONGEST_REPORT:
                    self.release()
            else:
                self.holding = ()
                self._accept(data)

    def release(self) -> None:
        """Pass on what was held back: it was the command's after all."""
        held, self.held, self.holding = self.held, b"", ()
        if held:
            self._accept(held)

    def drain(self) -> None:
        """Take what is there by now and stop reading: the command has ended, what it left running may go on."""
        if self.source < 0:
            return
        self.release()
        posix.set_blocking(self.source, False)
        for _ in range(_LARGEST_PIPE // CHUNK + 1):
            try:
                data = posix.read(self.source, CHUNK)
            except OSError:
                break  # nothing more by now, or EIO: the last holder of a pty is gone
            if not data:
                break
            self._accept(data)
        self.close()

    def close(self) -> None:
        """Stop reading; the command gets SIGPIPE if it goes on."""
        source, self.source = self.source, -1  # first: see `terminal.pty_of`
        if source >= 0:
            posix.close(source)

    def _splice(self) -> bool:
        """Move pipe to pipe in the kernel once nothing needs to be seen; True when the step is done."""
        budget = self.budget
        if not self.direct or self.holding or budget.log_left or (budget.limited and not budget.left):
            return False
        length = min(CHUNK, budget.left) if budget.limited else CHUNK
        try:
            moved = posix.splice(self.source, self.target, length, flags=_SPLICE_F_NONBLOCK)
        except BlockingIOError:
            return False  # the target is full: read a chunk and wait for room with it
        except OSError as error:
            self._refused(error)
            return True
        if not moved:
            self.close()
        self.passed += moved
        budget.left -= moved
        return True

    def _within(self, data: bytes) -> bytes:
        """Count what has come, and give as much of it as may still pass."""
        self.passed += len(data)
        if not self.budget.limited:
            return data
        keep = data[: self.budget.left]
        self.budget.left -= len(keep)
        self.dropped += len(data) - len(keep)
        return keep

    def _accept(self, data: bytes) -> None:
        budget, data = self.budget, self._within(data)
        if budget.log is not None and budget.log_left:
            kept = data[: budget.log_left]
            budget.log_left -= len(kept)
            budget.log.append(kept)
        if self.target < 0:
            room = self.capture - len(self.captured)
            self.captured += data[:room]
            self.dropped += max(0, len(data) - room)
        else:
            self.pending += data
            self._write()

    def _write(self) -> None:
        # A file always takes everything; elsewhere one safe step after each POLLOUT.
        if self.step == SAFE_WRITE and not _writable(self.target):
            return
        try:
            written = posix.write(self.target, self.pending[: self.step])
        except BlockingIOError:
            return
        except OSError as error:
            self._refused(error)
            return
        self.pending = self.pending[written:]

    def _refused(self, error: OSError) -> None:
        """Stop at EPIPE, ENOSPC or EIO: nobody takes the rest. What it means for the run is decided at its end."""
        self.error = error.errno or _EIO
        self.pending = b""
        self.close()


def _writable(descriptor: int) -> bool:
    import select

    poll = select.poll()
    poll.register(descriptor, POLLOUT)
    return bool(poll.poll(0))
