"""Ask the guest for something, and read its answer, which is checked: the guest may lie."""

import json
import pickle
import select
from typing import TYPE_CHECKING, Any

from aisbx.errors import (
    AisbxError,
    CommandNotExecutableError,
    CommandNotFoundError,
    LaunchError,
    StateError,
    UsageError,
)

from aisbx_driver_lima.guest import frames
from aisbx_driver_lima.guest.frames import Channel, ClosedError
from aisbx_driver_lima.told import parse

if TYPE_CHECKING:
    from aisbx_driver_lima.machine import Machine

_ERRORS: dict[str, type[AisbxError]] = {
    kind.code: kind for kind in (CommandNotExecutableError, CommandNotFoundError, LaunchError, StateError, UsageError)
}


class Line:
    """Connections into a machine that runs; one that has its answer is used for the next question. For any thread."""

    def __init__(self, machine: "Machine") -> None:
        """Connect to nothing yet."""
        self._machine = machine
        self._ready: list[Channel] = []

    def begin(self, question: dict[str, object], *pickled: object, anew: bool = False) -> Channel:
        """Put a question, and what goes with it; StateError where the machine has ended, LaunchError where it is mute.

        `anew`: what was connected to last did not answer.
        """
        while self._ready and not anew:
            channel = self._ready.pop()
            if not _speaks(channel):
                try:
                    return put(channel, question, *pickled)
                except ClosedError:
                    continue
            channel.close()
        try:
            return put(self._machine.reach(anew=anew), question, *pickled)
        except ClosedError as error:
            if anew:
                raise gone(error) from error
        return self.begin(question, *pickled, anew=True)

    def ask(self, question: dict[str, object], *pickled: object) -> Any:  # noqa: ANN401 - JSON
        """Ask, wait, and give the answer; what the guest failed with. Once more where nobody answered."""
        try:
            return self._asked(question, *pickled)
        except ClosedError:
            pass
        try:
            return self._asked(question, *pickled, anew=True)
        except ClosedError as error:
            raise gone(error) from error

    def give_back(self, channel: Channel) -> None:
        """Keep a connection whose question has its answer."""
        self._ready.append(channel)

    def close(self) -> None:
        """Close those that wait; more may follow all the same."""
        while self._ready:
            self._ready.pop().close()

    def __del__(self) -> None:
        """Leave no process in the guest waiting."""
        self.close()

    def _asked(self, question: dict[str, object], *pickled: object, anew: bool = False) -> Any:  # noqa: ANN401 - JSON
        channel = self.begin(question, *pickled, anew=anew)
        try:
            found = value(channel)
        except AisbxError:
            self.give_back(channel)
            raise
        except BaseException:
            channel.close()
            raise
        self.give_back(channel)
        return found


def _speaks(channel: Channel) -> bool:
    """Tell whether something comes without being asked for: at most the end."""
    poller = select.poll()
    poller.register(channel.fileno(), select.POLLIN)
    return bool(poller.poll(0))


def put(channel: Channel, question: dict[str, object], *pickled: object) -> Channel:
    """Put a question over a connection, which is given back; ClosedError, and then it is closed."""
    try:
        channel.send(frames.QUESTION, json.dumps({**question, "version": frames.VERSION}).encode())
        if pickled:
            channel.send(frames.DATA, pickle.dumps(pickled))
    except BaseException:
        channel.close()
        raise
    return channel


def value(channel: Channel, seconds: float | None = None) -> Any:  # noqa: ANN401 - JSON
    """Wait for an answer; raises what the guest failed with, ClosedError for what is no answer, or none in time."""
    kind, data = channel.receive(seconds)
    if kind == frames.FAILED:
        raise refused(data)
    if kind != frames.RESULT:
        raise ClosedError(f"it sent {kind!r}")
    try:
        return parse(data)
    except ValueError as error:
        raise ClosedError(f"its answer cannot be read: {error}") from error


def refused(data: bytes) -> AisbxError:
    """Give what the guest failed with as an error of ours."""
    try:
        code, message, hint = (str(word) for word in parse(data))
    except (ValueError, TypeError):
        return LaunchError("the guest failed, and what it says of that cannot be read", hint="try again")
    return _ERRORS.get(code, LaunchError)(message, hint=hint)


def gone(error: Exception) -> LaunchError:
    """Give the error for a guest that is gone, or talks nonsense."""
    return LaunchError(f"the guest has gone: {error}", hint="see: aisbx-driver-lima status")
