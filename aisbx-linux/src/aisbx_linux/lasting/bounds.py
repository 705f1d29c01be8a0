"""What holds one command of a sandbox that lasts: its clock, and what the sandbox's cgroups count meanwhile.

On the hot path: builtin modules only.
"""

import posix
import time

from aisbx_linux.bounds import LOOK, Bounds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from aisbx.types import LocalPlan

    from aisbx_linux.lasting.identity import Held
    from aisbx_linux.lasting.own import Own


class Counts:
    """How often each limit of a sandbox's cgroups was met, for a while; files are opened once."""

    __slots__ = ("rows",)

    def __init__(self, held: "Held") -> None:
        """Open what counts; the groups of a sandbox that has ended count nothing."""
        from aisbx_linux.cgroup.group import count

        self.rows: list[tuple[int, str, str, Callable[[bytes, str], int]]] = []
        cgroup = held["plan"]["cgroup"]
        for group, (_, _, events, _) in zip(held["groups"], cgroup[1] if cgroup is not None else (), strict=True):
            for file, key, name in events:
                try:
                    descriptor = posix.open(f"{group}/{file}", posix.O_RDONLY | posix.O_CLOEXEC)
                except FileNotFoundError:
                    continue
                self.rows.append((descriptor, key, name, count))

    def read(self) -> "list[int]":
        """Give the counts as they are now; 0 where the sandbox has ended."""
        found: list[int] = []
        for descriptor, key, _, count in self.rows:
            try:
                found.append(count(posix.pread(descriptor, 4096, 0), key))
            except OSError:
                found.append(0)
        return found

    def grown(self, before: "list[int]") -> "set[str]":
        """Give the names (see `LaunchResult`) of those that were met since."""
        return {row[2] for row, old, new in zip(self.rows, before, self.read(), strict=True) if new > old}

    def __del__(self) -> None:
        """Let the files go, once no command counts with them."""
        for row in self.rows:
            posix.close(row[0])


class CommandBounds(Bounds):
    """The limits of one command; those of the sandbox hold it as they hold all."""

    __slots__ = ("_before", "_counts", "_own", "_running", "asked")

    def __init__(self, plan: "LocalPlan", counts: Counts, own: "Own | None" = None) -> None:
        """Count from now: what the cgroups count more of later is the command's."""
        super().__init__(plan)
        self._counts = counts
        self._before = counts.read()
        self._own = own if own is not None and own.watched is not None else None
        self._running: Callable[[], int] = lambda: 0
        self.asked = 0
        """The command, once it was asked to end because its time was over."""

    def begin(self, now: float) -> None:
        """Start the clock; the cgroups are there."""
        if self._plan["wall_time"]:
            self._deadline = now + self._plan["wall_time"]

    def watch(self, first: int, command: "Callable[[], int]", look: float = 0.0) -> None:
        """Look after the whole sandbox while the command lasts, where no cgroup does; `look` is when first."""
        self._first, self._running = first, command
        if self._plan["watch"] is not None or self._own is not None:
            self._look = look or time.monotonic() + LOOK

    def since(self, before: "list[int]") -> None:
        """Take counts that were read earlier, in the order of `Counts`; of a sandbox that has ended, none count."""
        if len(before) == len(self._before):
            self._before = before

    def met(self) -> bool:
        """Tell whether a bound of the cgroups was met meanwhile."""
        return bool(self._counts.grown(self._before))

    def settle(self) -> None:
        """Say which bounds were met meanwhile."""
        self.happened |= self._counts.grown(self._before)
        self._running = int  # of the command, which has these bounds: what the two hold goes with the last use of them

    def _overused(self) -> bool:
        own, command = self._own, self._running()
        if own is None or not command:
            return super()._overused()
        from aisbx_linux.lasting.family import family
        from aisbx_linux.watch import SHARE

        begun = time.monotonic()
        met = own.look(family(self._first, command, own.mark))
        self.happened |= met
        over = bool(met) or (self._plan["watch"] is not None and super()._overused())
        now = time.monotonic()
        self._look = now + max(LOOK, (now - begun) * SHARE)
        return over

    def _command(self) -> int:
        self.asked = self._running() or self.asked
        return self._running()
