"""A sandbox in which one command may have limits of its own beside time and output."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from aisbx.types.enforcement import ControlState
from aisbx.types.plugin import Sandbox
from aisbx.types.request import Command


@runtime_checkable
class LimitingSandbox(Sandbox, Protocol):
    """A sandbox that can hold a command, and all that came of it, to `memory` (bytes) and `pids` of its own."""

    def check(self, command: Command) -> Sequence[ControlState]:
        """Say of each of these limits that the command has how far it will be held, and by what.

        One that is not fully held is refused, unless the user gave the control up; asked for all the same, it is held
        as far as was said.
        """
        ...
