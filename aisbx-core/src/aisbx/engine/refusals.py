"""The record of a command that was refused before anything ran."""

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from aisbx.audit.write import AuditError, append_once, refusal, start
from aisbx.errors import AisbxError
from aisbx.types import Event, Principal

if TYPE_CHECKING:
    from aisbx.engine.engine import Engine


def record_refusal(
    engine: "Engine",
    error: AisbxError,
    kind: str,
    run: str,
    principal: Principal,
    host: str,
    argv: Sequence[str],
    sandbox: str = "",
) -> None:
    """Write it down; `kind` is what the command came by: `run`, or `exec`, and then it was for a `sandbox`."""
    whose = f'"sandbox":"{sandbox}",' if sandbox else ""
    line = f"{start(f'{kind}.refused', run, principal.id, host, engine.told(argv))},{whose}"
    line += refusal(error.code, error.message, error.hint, error.exit_code)
    with suppress(AuditError, OSError):  # nothing ran; the refusal itself is the better thing to say
        append_once(engine.audit, line)
    told = {"run": run, "error": error.as_record(), **({"sandbox": sandbox} if sandbox else {})}
    engine.emit(Event(f"{kind}.refused", time.time(), told))
