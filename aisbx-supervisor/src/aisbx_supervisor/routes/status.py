"""`/health` and `/metrics`: aggregates only."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel
from starlette.responses import Response

from aisbx_supervisor.answers import Json
from aisbx_supervisor.health import UNHEALTHY
from aisbx_supervisor.metrics import CONTENT
from aisbx_supervisor.service import Service

router = APIRouter(tags=["status"])


def _service(request: Request) -> Service:
    return request.app.state.service


Served = Annotated[Service, Depends(_service)]


class Check(BaseModel):
    """One check; `lastRun` as RFC 3339 has it."""

    name: str
    status: str
    message: str
    lastRun: str  # noqa: N815 - as it is asked for


class Checks(BaseModel):
    """All of them; the status is the worst of theirs: healthy, degraded or unhealthy."""

    status: str
    lastCheck: str  # noqa: N815 - as it is asked for
    checks: dict[str, Check]


@router.get("/health", response_model=Checks, responses={503: {"model": Checks, "description": "It does not work."}})
async def health(service: Served) -> Response:
    """Say how the service is; 503 where it does not work."""
    worst, found = await service.at_once(service.health.look)
    return Json(found, 503 if worst == UNHEALTHY else 200)


@router.get(
    "/metrics", response_class=Response, responses={200: {"content": {CONTENT: {"schema": {"type": "string"}}}}}
)
async def metrics(service: Served) -> Response:
    """Give what Prometheus scrapes."""
    return Response(await service.at_once(service.metrics.text), media_type=CONTENT)
