"""What the commands that one process starts in a sandbox have in common, read or opened once. Builtin modules only."""

import posix

from aisbx_linux.guard import Guard
from aisbx_linux.lasting.bounds import Counts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aisbx_linux.lasting.identity import Held
    from aisbx_linux.protect.scan import State


class Kept:
    """A sandbox's counts, user, and what its workspace held when it was made; any number of threads may use it."""

    def __init__(self, held: "Held", home: str) -> None:
        """Open what is kept open; `home` is the sandbox's private directory. FileNotFoundError where it has ended."""
        self.null = -1
        self.held = held
        self.home = home
        self.counts = Counts(held)
        self.owner = posix.stat(f"/proc/{held['first'][0]}").st_uid
        self.null = posix.open("/dev/null", posix.O_RDONLY | posix.O_CLOEXEC)
        self._baseline = f"{home}/baseline"
        self._state: State | None = None
        self._stamp: tuple[int, ...] = ()

    def remember(self, guard: Guard) -> None:
        """Have a guard know what the workspace held; OSError where that is lost."""
        workspace = self.held["plan"]["workspace"]
        if workspace is None or workspace[1] != "rw":
            return
        status = posix.lstat(self._baseline)
        stamp = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        state = self._state
        if state is None or stamp != self._stamp:
            from aisbx_linux.protect.scan import recall

            state = recall(workspace[0], self._baseline)
            self._state, self._stamp = state, stamp
        if state is None:
            guard.since(self._baseline)  # says what is wrong with it
        else:
            guard.share(state, self._baseline)

    def __del__(self) -> None:
        """Let go what is open, once no command has it."""
        if self.null >= 0:
            posix.close(self.null)
