"""Commands that a helper starts: for a client that is large, has threads, or runs many. See `helper`."""

import _thread
import time

from aisbx_linux.bounds import LOOK
from aisbx_linux.ending import aborted, refused
from aisbx_linux.lasting import asking, helper
from aisbx_linux.lasting.command import Joined
from aisbx_linux.lasting.helpers import Helper, Helpers
from aisbx_linux.lasting.join import JoinError, failed_to_join
from aisbx_linux.lasting.wires import JoinedWires
from aisbx_linux.processes import send as signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aisbx.types import LaunchRequest, LocalPlan

    from aisbx_linux.guard import Guard
    from aisbx_linux.lasting.own import Own

_PATIENCE = 1.0
_REFUSED = 2  # (errno, text)
_KILL = 9
_TOO_LONG = 7  # E2BIG


class Helped(Joined):
    """A command that a helper starts and waits for."""

    def __init__(
        self, helpers: Helpers, plan: "LocalPlan", request: "LaunchRequest", *, own: "Own | None" = None
    ) -> None:
        """Keep all; nothing is started yet. With limits of its `own` it has a helper of its own, which is in them."""
        self._kept = helpers.kept()
        super().__init__(helpers.held, plan, request, helpers.home, self._kept.counts, own=own)
        self._helpers = helpers
        self._helper: Helper | None = None
        self._using = _thread.RLock()
        """Held by whoever uses the helper: once it is given back or let go, its descriptors are another's."""

    @property
    def owner(self) -> int:
        """The uid on the host of root's sandbox."""
        return self._kept.owner

    def _limit(self, own: "Own") -> None:
        super()._limit(own)
        self._helpers = Helpers(self.held, self._helpers.home)

    def _finish(self) -> None:
        if self._own is not None:
            self._helpers.close()  # it is in the command's group
        super()._finish()

    def _make_wires(self) -> JoinedWires:
        return JoinedWires(self.request, self._budget, null=self._kept.null)

    def _remember(self, guard: "Guard") -> None:
        self._kept.remember(guard)

    def _enter(self, wires: "JoinedWires") -> None:
        try:
            argv, environment, cwd = self._told()
            request = asking.request(argv, self._helpers.surroundings(environment, cwd))
        except ValueError as error:
            raise JoinError(0, str(error)) from None
        if len(request) > asking.MOST:
            raise JoinError(_TOO_LONG, "")
        one = self._helpers.take()
        while not one.ask(request, wires.inside, self._joining):  # it was killed while it had nothing to do
            one.close()
            one = self._helpers.take()
        self._has(one)

    def _has(self, one: Helper) -> None:
        """Go on with a helper that was asked."""
        self._helper = one
        self.monitor = one.pid
        self._assembly.status = one.fileno()
        self._lasting.watch(self.held["first"][0], self.command, self._started + LOOK)

    def command(self) -> int:
        """Give the command's process on the host, 0 where there is none (yet)."""
        with self._using:
            pid = self._helper.running() if self._helper is not None else 0
        return pid if pid != helper.STARTING else 0

    def signal(self, number: int) -> None:
        """Send a signal to the command, which may print before the helper has told its number."""
        self._known()
        with self._using:
            super().signal(number)

    def kill(self) -> None:
        """End the command and all below it; one that is not there yet ends with the helper."""
        known = self._known()
        with self._using:
            if known:
                super().kill()
            elif self._helper is not None:
                self._helper.kill()

    def _known(self) -> bool:
        """Wait until the command's number is known, or it has ended; tells whether that was so in time."""
        until = time.monotonic() + _PATIENCE
        while not self.done and not self.command() and not self._answered():
            if time.monotonic() > until:
                return False
            time.sleep(0.001)
        return True

    def _answered(self) -> bool:
        from select import POLLIN, poll

        waiting = poll()
        with self._using:
            if self._helper is None:
                return True
            waiting.register(self._helper.fileno(), POLLIN)
            return bool(waiting.poll(0))

    def _read_status(self) -> None:
        with self._using:
            one, self._helper = self._helper, None
        if one is None:
            return
        answer = one.answer()
        self._assembly.status = -1
        if answer is None:
            self._orphaned(one)
        elif len(answer) == _REFUSED:
            self.failure = failed_to_join(JoinError(*answer), self.request["argv"][0], self.held)
        else:
            status, user, system, peak = answer
            self._status, self._usage = status, (user, system, peak * 1024)
        if answer is None:
            one.close()
        else:
            self._helpers.give_back(one)
        self._over()

    def _orphaned(self, one: Helper) -> None:
        """End a command whose helper was killed: nobody else waits for it."""
        command = one.running()
        if not command:
            self.failure = refused("what was to start the command was killed before")
            return
        if command != helper.STARTING:
            from aisbx_linux.processes import below

            for process in (command, *below(command)):
                signal(process, _KILL)
        if not self.bounds.timed_out:
            self.failure = self.failure or aborted(OSError("the helper that had started the command was killed"))

    def _reap(self) -> None:
        """Leave it to the helper."""
