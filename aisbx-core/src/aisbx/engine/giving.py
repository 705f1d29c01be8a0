"""A sandbox that was made before somebody asked for it is given to who does."""

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from aisbx.audit.reserve import recording
from aisbx.audit.write import RESERVE, append_once, start
from aisbx.errors import StateError
from aisbx.store import Record, Store
from aisbx.types import Command, Event, Principal

if TYPE_CHECKING:
    from aisbx.engine.engine import Engine

_PATIENCE = 0.5


def give(engine: "Engine", name: str, giver: Principal, taker: Principal, host: str) -> Record:
    """Have a sandbox of the giver's be the taker's, and record that; StateError where it is not the giver's any more.

    Its name stays, and so does all that was decided when it was made.
    """
    store = Store(engine.state)
    claim = store.hold(name, patience=_PATIENCE)
    if claim is None:
        raise StateError(f"another process makes or ends the sandbox {name!r}", hint="try again")
    try:
        record = store.read(name)
        if record is None or record.principal != giver.id:
            raise StateError(f"the sandbox {name!r} is not there to be given", hint="take another")
        if engine.settings.policies or engine.settings.sinks:
            engine.review(store.spec(name), Command(argv=()), taker)  # nobody was asked about the taker
        given = replace(record, principal=taker.id)
        beginning = start("sandbox.give", name, taker.id, host, [])
        audit = engine.audit
        with recording(audit["path"], f"what was to be done (sandbox.give {name})"):
            append_once(audit, f"{beginning},{record.static}}}", f"{engine.state}/{RESERVE}")
        store.write(given, store.environment(name), store.spec(name))
    finally:
        claim.release()
    engine.emit(Event("sandbox.give", time.time(), {"sandbox": name, "profile": record.profile}))
    return given
