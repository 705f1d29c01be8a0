"""The audit log: of a key what it did, of all for who has `admin`; read, and followed as it grows."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Annotated

from aisbx.audit.read import Record, read_log
from aisbx.audit.verify import Problem, exported_heads, verify
from fastapi import APIRouter, Depends, Header, Query
from pydantic import BaseModel, Field
from starlette.responses import Response, StreamingResponse

from aisbx_supervisor.answers import Json
from aisbx_supervisor.asked import Asked, asked
from aisbx_supervisor.events import MEDIA, event, position, until_ending

router = APIRouter(prefix="/audit", tags=["audit"])
By = Annotated[Asked, Depends(asked)]
Kind = Annotated[str | None, Query(max_length=64)]
BACK = 10_000
"""Records that are looked through for those that were missed, or that are asked for."""


MOST = 1000
"""Lines that are told of a log that is not as it was written."""


class Verified(BaseModel):
    """What came of looking through the whole log; `head` is `SEQ:MAC` of its last record."""

    records: int
    head: str
    problems: list[dict[str, object]] = Field(description="What is not as it was written: path, line, what.")
    notes: list[dict[str, object]] = Field(description="What is none: what a killed writer leaves, older records.")


class Records(BaseModel):
    """Records, the oldest first; see docs/cli.md for what is in them."""

    records: list[dict[str, object]]


@router.get("", response_model=Records)
async def read(
    by: By,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    since: Annotated[float, Query(ge=0, le=1e12, description="Seconds since the epoch.")] = 0.0,
    kind: Kind = None,
) -> Response:
    """Give the last records."""
    with by.may("run", "audit"):
        path = by.service.engine.audit["path"]
        found = await by.service.aside(lambda: read_log(path, tail=BACK, since=since).records)
        rows = [row_of(one) for one in found if theirs(by, one) and kind in {None, one.text("kind")}]
        return Json({"records": rows[-limit:]})


@router.get("/verification", response_model=Verified)
async def verification(
    by: By,
    head: Annotated[
        list[Annotated[str, Field(pattern="^[0-9]{1,18}:[0-9a-f]{64}$")]],
        Query(max_length=64, description="A head that was exported, `SEQ:MAC`."),
    ] = [],  # noqa: B006 - FastAPI reads it
) -> Response:
    """Find out whether the whole log is as it was written. It names paths of the host: needs `admin`."""
    with by.may("admin", "verify"):
        known = {int(seq): mac for seq, _, mac in (one.partition(":") for one in head)}
        place = by.service.engine.audit
        found = await by.service.aside(lambda: verify(place, known | exported_heads(place)))
        told = {"records": found.records, "head": f"{found.seq}:{found.mac}"}
        return Json({**told, "problems": _first(found.problems), "notes": _first(found.notes)})


def _first(rows: list[Problem]) -> list[dict[str, object]]:
    """Give some as data, and behind them how many more there are."""
    more = [Problem("", 0, f"and {len(rows) - MOST} more")] if len(rows) > MOST else []
    return [asdict(row) for row in (*rows[:MOST], *more)]


@router.get(
    "/events",
    response_class=Response,
    responses={200: {"content": {MEDIA: {"schema": {"type": "string"}}}, "description": "Records as they come."}},
)
async def events(
    by: By,
    kind: Kind = None,
    last: Annotated[str | None, Header(alias="Last-Event-ID", pattern="^[0-9]{1,18}$")] = None,
) -> Response:
    """Stream records as they are written; `Last-Event-ID`, a record's `seq`, goes on behind that one."""
    with by.may("run", "audit"):
        after = position(last) if last else -1
    return StreamingResponse(
        following(by, lambda one: theirs(by, one) and kind in {None, one.text("kind")}, after, "record"),
        media_type=MEDIA,
    )


def _itself(record: Record) -> Sequence[Record]:
    return (record,)


async def following(
    by: Asked,
    wanted: Callable[[Record], bool],
    after: int,
    name: str,
    each: Callable[[Record], Sequence[Record]] = _itself,
) -> AsyncIterator[bytes]:
    """Give what is wanted behind the record of number `after` (-1: from now on), as events of a name.

    `each` gives what a record says: itself, or what is read from it. Who was away, or takes them slowly, for longer
    than the log is looked back is told so: `missed`.
    """
    listening = by.service.metrics.feed.listen()
    try:
        yield f": {name}s\n\n".encode()
        told = _Told(wanted, after, name, each)
        behind = after >= 0
        coming = until_ending(by, listening)
        while True:
            if behind:
                listening.behind = False
                for data in told.before(await by.service.aside(lambda: _last(by))):
                    yield data
            try:
                record = await anext(coming)
            except StopAsyncIteration:
                return
            for data in told.of(record) if record is not None else (b": alive\n\n",):
                yield data
            behind = listening.behind and listening.empty
    finally:
        await listening.aclose()  # whoever goes before anything came is heard of here only


def _last(by: Asked) -> Sequence[Record]:
    return read_log(by.service.engine.audit["path"], tail=BACK).records


class _Told:
    """What one who listens has been told."""

    def __init__(
        self, wanted: Callable[[Record], bool], after: int, name: str, each: Callable[[Record], Sequence[Record]]
    ) -> None:
        self._wanted = wanted
        self._after = after
        self._name = name
        self._each = each

    def of(self, record: Record) -> Iterator[bytes]:
        """Give the events of a record, none where it is not behind the last one."""
        if (number := _number(record)) > self._after:
            self._after = number
            found = [*filter(self._wanted, self._each(record))]
            for left, one in zip(range(len(found) - 1, -1, -1), found, strict=True):
                # With the last one the record has been told: who was cut off before that hears all of it again.
                yield event(self._name, row_of(one), "" if left else str(number))

    def before(self, records: Sequence[Record]) -> Iterator[bytes]:
        """Give the events of the last records, and before them that some are missing where these do not reach back."""
        first = _number(records[0]) if records else 0
        if 0 <= self._after < first - 1:
            yield event("missed", {"behind": self._after, "before": first}, "")
        for record in records:
            yield from self.of(record)


def theirs(by: Asked, record: Record) -> bool:
    """Tell whether a record is of what whoever asks did; all are for who has `admin`."""
    return "admin" in by.who.scopes or record.text("principal") == by.who.id


def _number(record: Record) -> int:
    found = record.data.get("seq")
    return found if isinstance(found, int) else 0


def row_of(record: Record) -> dict[str, object]:
    """Give a record as data, without its place in the chain."""
    return {key: value for key, value in record.data.items() if key != "mac"}
