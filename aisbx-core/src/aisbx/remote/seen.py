"""What a supervisor's sandboxes tried that they may not, in place of `aisbx.violations.read`: of a key its own."""

from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import quote

from aisbx.audit.read import Record
from aisbx.remote.server import Server
from aisbx.violations.derive import KIND
from aisbx.violations.read import Wanted

_MOST = 1000


def violations(server: Server, wanted: Wanted) -> tuple[list[Record], int]:
    """Give those of the last thousand that are wanted, oldest first, and the number (`seq`) of the last; 0 for none."""
    sandbox = wanted.sandbox or None  # by the name that whoever asks knows: records may have another
    rows = [Record(row) for row in server.get("violations", limit=_MOST, sandbox=sandbox)["violations"]]
    last = rows[-1].data.get("seq") if rows else 0
    others = replace(wanted, sandbox="")
    return [row for row in rows if others.has(row)], last if isinstance(last, int) else 0


def follow(server: Server, wanted: Wanted, after: int) -> Iterator[Record]:
    """Give each that is wanted behind the number `after`, as it comes, also across a restart of the supervisor."""
    place = f"violations/events?sandbox={quote(wanted.sandbox, safe='')}" if wanted.sandbox else "violations/events"
    others = replace(wanted, sandbox="")
    for _, kind, data in server.listen(place, str(after)):
        record = Record(data)
        if kind == KIND and others.has(record):
            yield record
