"""Ask who observes a sandbox what was seen."""

import json
from typing import TYPE_CHECKING, cast

from aisbx.errors import ControlError, StateError

from aisbx_linux.learning.hand import reach
from aisbx_linux.learning.serve import REPORT
from aisbx_linux.message import receive, send
from aisbx_linux.watching.able import to_tell

if TYPE_CHECKING:
    from aisbx_linux.lasting.identity import Held


def to_observe(held: "Held", home: str, owner: tuple[int, int]) -> dict[str, object]:
    """Give what the observer has to know, as plain data; ControlError where allowed calls can't be told of."""
    try:
        return {**to_tell(held, home), "owner": owner}
    except ControlError as error:
        hint = "learn from a profile whose syscalls have network-io, on Linux 5.5 or later"
        raise ControlError(error.message, control=error.control, hint=hint) from None


def observed(home: str) -> dict[str, object]:
    """Give what was seen so far; StateError where nobody observes the sandbox any more."""
    try:
        connection = reach(home)
        try:
            send(connection, REPORT)
            answer, _ = receive(connection)
        finally:
            connection.close()
    except OSError:
        answer = b""
    if not answer:
        raise StateError("who observed the sandbox is gone, and with it what was seen", hint="learn anew")
    return cast("dict[str, object]", json.loads(answer))
