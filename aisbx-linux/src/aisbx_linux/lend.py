"""The caller's stdin on its way in. On the hot path: builtin modules only.

What a command does not read belongs to whoever reads next: a pipe's bytes are lent to it with tee(2) and consumed only
when it has read them, a file's offset is set back to where it stopped.
"""

import posix

from aisbx_linux.relay import CHUNK, POLLIN, POLLOUT, kind_of

_F_SETPIPE_SZ = 1031
_FIONREAD = 0x541B


class Input:
    """The caller's stdin on its way in: never consumes more of a pipe or file than the command has read."""

    held = False
    __slots__ = ("at_end", "kind", "lent", "pending", "reader", "source", "target")

    def __init__(self, source: int | bytes, target: int) -> None:
        """Feed `target`, a pipe or pty that was made for the run, from a descriptor or from bytes."""
        self.target = target
        self.at_end = False
        self.lent = 0
        self.reader = -1
        if isinstance(source, bytes):
            self.source, self.pending, self.kind, self.at_end = -1, source, "bytes", True
        else:
            self.source, self.pending, self.kind = source, b"", kind_of(source)
        posix.set_blocking(target, False)
        if self.kind == "pipe" and kind_of(target) == "pipe":
            import fcntl

            # One slot: room for more means that the command has read all of it (see `_lend`).
            fcntl.fcntl(target, _F_SETPIPE_SZ, 4096)
        elif self.kind == "pipe":
            self.kind = "other"

    def wants(self) -> tuple[int, int]:
        """Give the descriptor and poll event that the next step waits for; (-1, 0) when all is passed on."""
        if self.target < 0:
            return -1, 0
        if self.pending or self.lent:
            return self.target, POLLOUT
        return (self.source, POLLIN) if not self.at_end else (self.target, POLLOUT)

    def step_on(self) -> None:
        """Do one step after `wants` was reported ready; never blocks. Once closed, it takes nothing more."""
        if self.target < 0:
            return  # ended by what became ready together with it
        try:
            if self.kind == "pipe":
                self._lend()
                return
            if not self.pending and not self.at_end:
                self.pending = posix.read(self.source, CHUNK)
                self.at_end = not self.pending
            if self.pending:
                self.pending = self.pending[posix.write(self.target, self.pending) :]
            if self.at_end and not self.pending:
                self._finish()
        except BlockingIOError:
            return
        except OSError:
            self.close()  # EPIPE: the command reads no more

    def close(self) -> None:
        """End the stream, and give back to a pipe or file what the command did not read. May be called twice."""
        ends, self.target, self.reader = (self.target, self.reader), -1, -1
        for descriptor in ends:
            if descriptor >= 0:
                try:
                    self._give_back(descriptor)
                finally:
                    posix.close(descriptor)

    def _lend(self) -> None:
        """Copy from pipe to pipe with tee(2) and consume the original only when the copy has been read.

        So `while read line; do aisbx run …; done` keeps its lines, as it would without a sandbox.
        """
        from aisbx_linux.syscalls import tee

        if self.lent:
            if _unread(self.target):
                self.close()  # ready because nobody reads any more, not because all was read
            else:
                posix.read(self.source, self.lent)
                self.lent = 0
            return
        copied = tee(self.source, self.target, CHUNK)
        if copied > 0:
            self.lent = copied
        elif copied == 0:
            self._finish()
        elif _abandoned(self.target):
            self.close()  # nobody reads any more: all of it is for the next
        else:
            self.kind = "other"  # this kernel can't: pass on what there is

    def _finish(self) -> None:
        """Let the command see the end; for a file, keep a way to count what it leaves unread."""
        if self.kind == "file":
            # As a reader, opened before the last writer goes.
            flags = posix.O_RDONLY | posix.O_NONBLOCK | posix.O_CLOEXEC
            self.reader = posix.open(f"/proc/self/fd/{self.target}", flags)
        posix.close(self.target)
        self.target = -1

    def _give_back(self, pipe: int) -> None:
        if self.kind not in {"file", "pipe"}:
            return
        unread = _unread(pipe)
        if self.kind == "file":
            try:  # noqa: SIM105  (contextlib costs more than all of this)
                posix.lseek(self.source, -(unread + len(self.pending)), 1)
            except OSError:
                pass  # it has no offset (O_PATH), or none that can be set (files of tracefs): nothing to give back
        elif self.lent > unread:
            posix.read(self.source, self.lent - unread)
        self.lent = 0


def _unread(pipe: int) -> int:
    """Give the number of bytes that wait in a pipe, by either of its ends."""
    import fcntl

    return int.from_bytes(fcntl.ioctl(pipe, _FIONREAD, b"\0\0\0\0"), "little")


def _abandoned(pipe: int) -> bool:
    """Tell whether a pipe has lost its readers, by its writing end (poll(2), POLLERR)."""
    from select import POLLERR, poll

    watched = poll()
    watched.register(pipe, 0)
    return any(events & POLLERR for _, events in watched.poll(0))
