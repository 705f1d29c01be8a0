"""Run a command to its end by the compiled library, and go on in Python where not all of it was ordinary."""

import posix
from collections.abc import Mapping

from aisbx.types import Captured, Command, ExitStatus, LaunchRequest, LocalPlan, Recording, Stdio, Usage, exit_status

from aisbx_linux.bounds import LOOK, narrowed
from aisbx_linux.ending import SHELL_SIGNAL_BASE, refused, signal_of
from aisbx_linux.guard import Guard
from aisbx_linux.lasting import asking
from aisbx_linux.lasting.client import ENDED, NOT_ASKED, Exchange
from aisbx_linux.lasting.helped import Helped
from aisbx_linux.lasting.helpers import Helper, Helpers
from aisbx_linux.lasting.join import JoinError
from aisbx_linux.lasting.wires import JoinedWires
from aisbx_linux.relay import Budget, Output

_NANO, _MICRO, _KIB = 1e9, 1e6, 1024
_SIGNAL = 0x7F
_NOTHING = Captured()


def run(
    helpers: Helpers, command: Command, limits: Mapping[str, float], stdio: Stdio, record: Recording | None = None
) -> ExitStatus | None:
    """Give how a command ended whose streams are captured, and record it; None where nothing was started.

    Raises what kept it from running.
    """
    client = helpers.client()
    if client is None:
        return None
    plan = helpers.held["plan"]
    if limits:
        plan = narrowed(plan, limits)
    try:
        own = command.environment
        environment = {**plan["environment"], **own} if own else plan["environment"]
        around = helpers.surroundings(environment, command.cwd or plan["cwd"])
        request = asking.request(command.argv, around)
        one = helpers.take()
    except (ValueError, JoinError):
        return None  # it is told of where all others are started
    exchange = one.exchange = one.exchange or Exchange()
    wall, looks = plan["wall_time"], plan["watch"] is not None
    patience = min(wall or LOOK, LOOK) if looks else wall
    result = NOT_ASKED
    try:
        result = client.run(one, exchange, request, patience, plan["output"], record)
        if result not in {ENDED, NOT_ASKED}:
            return gone_on(helpers, plan, command, stdio, one, exchange)
    except BaseException:
        if result == NOT_ASKED:  # a signal's handler raised it: the helper may have been asked, and ends its command
            one.close()
            exchange.drop()
        raise
    helpers.give_back(one)
    if result == NOT_ASKED:
        helpers.forget_client()
        return None
    outcome = exchange.outcome
    if record is not None:
        record.written = bool(outcome.recorded)
    status = outcome.status
    code = SHELL_SIGNAL_BASE + (status & _SIGNAL) if status & _SIGNAL else status >> 8  # as WTERMSIG, WEXITSTATUS
    return ExitStatus(
        code=code,
        signal=signal_of(code),
        duration=(outcome.ended - outcome.started) / _NANO,
        usage=Usage(outcome.user / _MICRO, outcome.system / _MICRO, outcome.peak * _KIB),
        stdout=Captured(exchange.printed(0)) if outcome.out else _NOTHING,
        stderr=Captured(exchange.printed(1)) if outcome.err else _NOTHING,
    )


def gone_on(
    helpers: Helpers, plan: LocalPlan, command: Command, stdio: Stdio, one: Helper, exchange: Exchange
) -> ExitStatus:
    """Go on with what the library has begun."""
    request: LaunchRequest = {
        "argv": list(command.argv),
        "environment": dict(command.environment),
        "cwd": command.cwd or "",
        "stdin": None,
        "stdout": None,
        "stderr": None,
        "terminal": False,
        "capture": stdio.capture,
        "exclusive": False,
        "state": helpers.held["state"],
        "run": posix.urandom(6).hex(),
        "keep_output": 0,
    }
    taken = _Taken(helpers, plan, request)
    try:
        taken.go_on(one, exchange)
        taken.wait()
    except BaseException:
        taken.drop()
        raise
    return exit_status(taken.result())


class _Taken(Helped):
    """A command that was started by the library."""

    def go_on(self, one: Helper, exchange: Exchange) -> None:
        """Take it from there, in the place of `start`."""
        outcome = exchange.outcome
        self._helper = one
        self._started = outcome.started / _NANO
        self._lasting.since(outcome.before[: len(self._kept.counts.rows)])
        self.bounds.begin(self._started)
        self.wires = _TakenWires(exchange, self._budget, self.request["capture"])
        self._has(one)
        self._guard = Guard(self.plan, self.request["state"], self.request["run"])
        try:
            self._remember(self._guard)
        except OSError as error:
            self.failure = refused(str(error))
            self.kill()

    def drop(self) -> None:
        """End it with its helper and close its streams: nobody waits for it any more."""
        with self._using:
            one, self._helper = self._helper, None
        if one is not None:
            one.close()
        if self.wires is not None:
            self.wires.close()


class _TakenWires(JoinedWires):
    """Its streams, with what was read of them."""

    __slots__ = ()

    def __init__(self, exchange: Exchange, budget: Budget, capture: int) -> None:
        """Take them from the library."""
        self.opened: list[int] = []
        self.inside = (-1, -1, -1)
        self._given = -1
        self.terminal = self.stdin = None
        self.stdout, self.stderr = (self._taken(exchange, stream, budget, capture) for stream in range(2))

    @staticmethod
    def _taken(exchange: Exchange, stream: int, budget: Budget, capture: int) -> Output:
        relay = Output(exchange.outcome.reader[stream], -1, budget, capture=capture)
        exchange.outcome.reader[stream] = -1
        relay.held = exchange.printed(stream)
        relay.release()
        return relay
