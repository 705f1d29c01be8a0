"""The application: routes, and what becomes of errors."""

from typing import Any

from aisbx.errors import AisbxError, UsageError
from aisbx.hosting.requests import RefusedError
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.responses import Response

from aisbx_supervisor.asked import PRINCIPAL
from aisbx_supervisor.problems import RESPONSES, Problem, failed, problem, refused
from aisbx_supervisor.routes import (
    audit,
    files,
    grants,
    host,
    inside,
    keys,
    processes,
    review,
    running,
    sandboxes,
    status,
    violations,
)
from aisbx_supervisor.service import Service

API = "/api/v1"
_SOCKETS = (f"{API}/sandboxes/{{name}}/pty", f"{API}/sandboxes/{{name}}/processes/{{process}}/attach")
"""Paths of WebSockets, which OpenAPI has no words for."""
_ROUTES = (sandboxes, running, processes, inside, files, review, grants, host, keys, audit, violations)
_CODES = {404: "not-found", 405: "usage"}
_MISSING = 404
_MOST_ERRORS = 20


def build(service: Service) -> FastAPI:
    """Give the application of a service."""
    # No pages of documentation: they would be scripts of somebody else's, from another host.
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=f"{API}/openapi.json", redirect_slashes=False)
    app.state.service = service
    for module in _ROUTES:
        app.include_router(module.router, prefix=API, responses=RESPONSES)
    app.include_router(status.router, responses=RESPONSES)
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]

    service.routes = dict.fromkeys([*_described(app)["paths"], f"{API}/openapi.json", *_SOCKETS])

    @app.exception_handler(AisbxError)
    async def problematic(_request: Request, error: AisbxError) -> Response:  # pyright: ignore[reportUnusedFunction]
        return refused(service.metrics, error)

    @app.exception_handler(RequestValidationError)
    async def malformed(_request: Request, error: RequestValidationError) -> Response:  # pyright: ignore[reportUnusedFunction]
        service.metrics.errors.labels(UsageError.code).inc()
        rows = [
            {"where": ".".join(str(part) for part in row["loc"]), "what": row["msg"]}
            for row in error.errors()[:_MOST_ERRORS]
        ]
        told = "; ".join(f"{row['where']}: {row['what']}" for row in rows[:3])
        return problem(RefusedError(422, UsageError.code, told or "the body is wrong", "see openapi.json"), errors=rows)

    @app.exception_handler(HTTPException)
    async def unknown(request: Request, error: HTTPException) -> Response:  # pyright: ignore[reportUnusedFunction]
        code = _CODES.get(error.status_code, "usage")
        service.metrics.errors.labels(code).inc()
        if error.status_code == _MISSING and PRINCIPAL in request.scope:
            service.door.missed(request.scope[PRINCIPAL], request.url.path)
        told = RefusedError(error.status_code, code, f"{request.method} {request.url.path[:200]}: {error.detail}")
        response = problem(told)
        response.headers.update(error.headers or {})
        if "allow" in response.headers:  # Starlette names the methods of the first route that has the path
            response.headers["Allow"] = ", ".join(sorted(_methods(app, request)))
        return response

    @app.exception_handler(Exception)
    async def wrong(_request: Request, error: Exception) -> Response:  # pyright: ignore[reportUnusedFunction]
        return failed(service.metrics, error)

    return app


def _methods(app: FastAPI, request: Request) -> set[str]:
    """Give the methods that the path of a request takes."""
    return set(map(str.upper, _described(app)["paths"].get(app.state.service.route_of(request.url.path), {})))


def _described(app: FastAPI) -> dict[str, Any]:
    """Give the document (OpenAPI 3.1), made once."""
    if app.openapi_schema:
        return app.openapi_schema
    found = get_openapi(
        title="aisbx supervisor",
        version="1",
        openapi_version="3.1.0",
        description="Sandboxes of one machine. Errors are problems (RFC 9457).",
        routes=app.routes,
    )
    parts = found.setdefault("components", {})
    schemas = parts.setdefault("schemas", {})
    schemas["Problem"] = Problem.model_json_schema()
    for gone in ("HTTPValidationError", "ValidationError"):
        schemas.pop(gone, None)
    parts["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }
    found["security"] = [{"bearer": []}, {"key": []}]
    for path in ("/health", "/metrics"):
        found["paths"][path]["get"]["security"] = [{}, {"bearer": []}, {"key": []}]
    once = {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": "With it the request is done once, however often it is sent within a day.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
    }
    for path in found["paths"].values():
        if "post" in path:
            path["post"].setdefault("parameters", []).append(once)
    app.openapi_schema = found
    return found
