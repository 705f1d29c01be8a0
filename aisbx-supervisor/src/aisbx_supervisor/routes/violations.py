"""What was tried and denied, by whatever refused it; of a key its own, of all for who has `admin`."""

from collections.abc import Callable
from typing import Annotated, Literal

from aisbx.audit.read import Record, read_log
from aisbx.violations.derive import KIND, violations_of
from aisbx.violations.severity import SEVERITIES, as_grave
from fastapi import APIRouter, Depends, Header, Query
from pydantic import BaseModel
from starlette.responses import Response, StreamingResponse

from aisbx_supervisor.answers import Json
from aisbx_supervisor.asked import Asked, asked
from aisbx_supervisor.events import MEDIA, position
from aisbx_supervisor.routes.audit import BACK, following, row_of, theirs

router = APIRouter(prefix="/violations", tags=["violations"])
_Word = Annotated[str | None, Query(max_length=256)]
_Severity = Annotated[
    Literal["info", "low", "medium", "high", "critical"] | None, Query(description="That one, and graver ones.")
]


class Violations(BaseModel):
    """Violations, the oldest first."""

    violations: list[dict[str, object]]


class Wanted:
    """Which of them: those with every member that is named, of a severity or graver."""

    def __init__(
        self, sandbox: _Word = None, rule: _Word = None, severity: _Severity = None, source: _Word = None
    ) -> None:
        """Keep what is named."""
        self._least = severity or SEVERITIES[0]
        named = {"sandbox": sandbox, "rule": rule, "source": source}
        self._named = {key: value for key, value in named.items() if value is not None}

    def of(self, by: Asked) -> Callable[[Record], bool]:
        """Give what tells whether a record is one of them; a sandbox is named as whoever asks knows it."""
        named = {key: frozenset({value}) for key, value in self._named.items()}
        if "sandbox" in named:
            named["sandbox"] = by.service.boxes.called(by.who, self._named["sandbox"])

        def wanted(record: Record) -> bool:
            grave = as_grave(record.text("severity"), self._least)
            return grave and theirs(by, record) and all(record.text(key) in values for key, values in named.items())

        return wanted


By = Annotated[Asked, Depends(asked)]
Which = Annotated[Wanted, Depends(Wanted)]


@router.get("", response_model=Violations)
async def read(
    by: By,
    which: Which,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    since: Annotated[float, Query(ge=0, le=1e12, description="Seconds since the epoch.")] = 0.0,
) -> Response:
    """Give the last violations."""
    with by.may("run", "violations"):
        wanted = which.of(by)
        path = by.service.engine.audit["path"]
        found = await by.service.aside(lambda: read_log(path, tail=BACK, since=since).records)
        rows = [row_of(each) for one in found for each in violations_of(one) if wanted(each)]
        return Json({"violations": rows[-limit:]})


@router.get(
    "/events",
    response_class=Response,
    responses={200: {"content": {MEDIA: {"schema": {"type": "string"}}}, "description": "Violations as they come."}},
)
async def events(
    by: By,
    which: Which,
    last: Annotated[str | None, Header(alias="Last-Event-ID", pattern="^[0-9]{1,18}$")] = None,
) -> Response:
    """Stream violations as they are recorded; `Last-Event-ID`, a record's `seq`, goes on behind that one."""
    with by.may("run", "violations"):
        wanted = which.of(by)
        after = position(last) if last else -1
    return StreamingResponse(following(by, wanted, after, KIND, violations_of), media_type=MEDIA)
