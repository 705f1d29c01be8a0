"""`aisbx exec` on a terminal, from a plan: by what programs have, which knows terminals."""

from typing import TYPE_CHECKING

from aisbx.errors import AbortedError, AisbxError, StateError
from aisbx.types import Stdio, given, launch_result

from aisbx_driver_lima.guest.channel import QUESTION, Channel
from aisbx_driver_lima.joining import Signals, connected, question
from aisbx_driver_lima.process import LimaProcess
from aisbx_driver_lima.terminal import begins
from aisbx_driver_lima.told import failed

if TYPE_CHECKING:
    from aisbx.types import LaunchRequest, LaunchResult

    from aisbx_driver_lima.joining import MachinePlan


def launch(plan: "MachinePlan", request: "LaunchRequest") -> "LaunchResult":
    """Run one command to its end; ProcessLookupError where its sandbox, or the way to it, is not there any more."""
    stdio = Stdio(request["stdin"], request["stdout"], request["stderr"], terminal=True, capture=request["capture"])
    channel = connected(plan["socket"])
    channel.put(QUESTION, question(plan, request, {"terminal": True, "stdin": True, "size": [*begins(stdio)]}))
    process = LimaProcess(channel, stdio, list, Channel.close)
    try:
        with Signals(process.signal):
            return launch_result(given(process.wait()))
    except AisbxError as error:
        if isinstance(error, StateError | AbortedError) and not process.begun:
            raise ProcessLookupError from None
        result = failed(error.code, error.message, error.hint)
        result["findings"] = [*error.findings]
        return result
    finally:
        process.end()
