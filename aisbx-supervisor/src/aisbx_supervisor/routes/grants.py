"""What a sandbox may reach beyond its allow-list. To change that needs `admin`: networks are the host's."""

from typing import Annotated

from aisbx.egress.grants import Grant
from aisbx.engine.granting import Granting, granting
from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from aisbx_supervisor.answers import Json
from aisbx_supervisor.asked import Asked, as_it_stands, asked
from aisbx_supervisor.models import NewGrant
from aisbx_supervisor.options import HOST

router = APIRouter(prefix="/sandboxes/{name}/grants", tags=["grants"])
By = Annotated[Asked, Depends(asked)]


class Granted(BaseModel):
    """Something that it may reach."""

    rule: str
    until: float | None = Field(description="Seconds since the epoch; null: as long as it is there.")


class Grants(BaseModel):
    """Those that hold."""

    grants: list[Granted]


@router.get("", response_model=Grants)
async def listed(by: By, name: str) -> Response:
    """List what was granted."""
    with by.may("run", "grants"), as_it_stands():
        real = by.box(name)
        held = await by.service.aside(lambda: _of(by, real).all())
        return Json({"grants": [_row(one) for one in held]})


@router.post("", status_code=201, response_model=Granted)
async def grant(by: By, name: str, body: NewGrant) -> Response:
    """Let it reach one host more; no command has to start anew."""
    with by.may("admin", "grant"):
        real = by.box(name)
        with as_it_stands():
            found = await by.service.aside(lambda: _of(by, real))
        made = await by.service.aside(lambda: found.add(body.rule, body.ttl or 0.0, by.who, HOST))
        return Json(_row(made), 201)


@router.delete("", status_code=204, response_class=Response)
async def withdraw(by: By, name: str, rule: Annotated[str, Query(max_length=512)]) -> Response:
    """Take a grant back, which closes the connections that it allowed."""
    with by.may("admin", "withdraw"), as_it_stands():
        real = by.box(name)
        await by.service.aside(lambda: _of(by, real).withdraw(rule, by.who, HOST))
    return Response(status_code=204)


def _of(by: Asked, real: str) -> Granting:
    return granting(by.service.engine, real)


def _row(one: Grant) -> dict[str, object]:
    return {"rule": one.rule, "until": one.until or None}
