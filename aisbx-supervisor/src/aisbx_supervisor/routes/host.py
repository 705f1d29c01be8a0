"""What the host offers: profiles, names of secrets, its doctor, and the settings, of which nothing secret is told."""

import os
from typing import Annotated, cast

from aisbx.cli.describe import profile_lines, profile_record, profile_rows
from aisbx.doctor import ready
from aisbx.engine import Engine, secrets
from aisbx.errors import NotFoundError
from aisbx.inputs import Inputs
from aisbx.profiles import Finder, load_profile
from aisbx.types import NamedSecrets
from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from pydantic_core import to_jsonable_python
from starlette.responses import Response

from aisbx_supervisor.answers import Json
from aisbx_supervisor.asked import Asked, asked

router = APIRouter(tags=["host"])
By = Annotated[Asked, Depends(asked)]
_TABLES = ("drivers", "sink_settings", "secret_settings", "egress")
"""Of plugins: what is in them may be secret, and nobody here knows which."""
REDACTED = "[redacted]"


class Named(BaseModel):
    """A profile's name, where it comes from, and what it is for."""

    name: str
    origin: str
    description: str


class Profiles(BaseModel):
    """What whoever asks may name."""

    profiles: list[Named]


class Profile(BaseModel):
    """What a profile comes to."""

    profile: dict[str, object]
    lines: list[str] = Field(description="The same for people.")


class Examined(BaseModel):
    """What holds on the host."""

    ready: bool = Field(description="Whether sandboxes as the server makes them would be admitted.")
    rows: list[dict[str, object]] = Field(description="As those of `aisbx doctor --json`.")


class Names(BaseModel):
    """Names, never a value."""

    secrets: list[str]


class Configuration(BaseModel):
    """The settings in force, and where each comes from."""

    settings: dict[str, object]
    origins: dict[str, str]


@router.get("/profiles", response_model=Profiles)
async def profiles(by: By) -> Response:
    """List the profiles that whoever asks may name."""
    with by.may("run", "profiles"):

        def look() -> list[dict[str, str]]:
            find = _finder(by)
            known = find.names()
            names = known if "admin" in by.who.scopes else by.service.boxes.profiles(by.who).names
            rows = profile_rows({name: known.get(name, "composed") for name in sorted(names)}, find, Inputs())
            return [dict(zip(("name", "origin", "description"), row, strict=True)) for row in rows]

        return Json({"profiles": await by.service.aside(look)})


@router.get("/profiles/{name}", response_model=Profile)
async def profile(by: By, name: str) -> Response:
    """Show what a profile comes to."""
    with by.may("run", "profile"):
        if "admin" not in by.who.scopes and name not in by.service.boxes.profiles(by.who).names:
            raise NotFoundError(f"there is no profile {name[:64]!r}", name=name, hint="GET /api/v1/profiles lists them")

        def look() -> dict[str, object]:
            settings = by.service.engine.settings
            if not set(name.split("+")) <= _finder(by).names().keys():
                raise NotFoundError(f"there is no profile {name[:64]!r}", name=name, hint="see /api/v1/profiles")
            found = load_profile(name.split("+"), _finder(by), Inputs(), default=settings.profile)
            return {"profile": profile_record(found), "lines": [*profile_lines(found)]}

        return Json(await by.service.aside(look))


@router.get("/doctor", response_model=Examined)
async def doctor(by: By) -> Response:
    """Say what holds on the host for sandboxes as the server makes them, by what, and what mends the rest.

    It names paths of the host: needs `admin`.
    """
    with by.may("admin", "doctor"):

        def look() -> dict[str, object]:
            service, options = by.service, by.service.options
            request = service.usual(options.profile)
            # One of its own: what an engine knows of one request is not for two at once.
            rows = Engine(os.environ, options.workspace or "/").doctor(request)
            return {"ready": ready(rows), "rows": [row.as_record() for row in rows]}

        return Json(await by.service.aside(look))


@router.get("/secrets", response_model=Names)
async def names(by: By) -> Response:
    """List the names of secrets in the host's store; needs `admin`."""
    with by.may("admin", "secrets"):

        def look() -> list[str]:
            engine = by.service.engine
            name = engine.settings.secret_store
            if name not in engine.plugins.names("secrets"):
                return []
            store = secrets.load(name, engine.plugins, engine.settings, engine.decided)
            return sorted(store.names()) if isinstance(store, NamedSecrets) else []

        return Json({"secrets": await by.service.aside(look)})


@router.get("/configuration", response_model=Configuration)
async def configuration(by: By) -> Response:
    """Show the settings in force; what plugins were given is left out. Needs `admin`."""
    with by.may("admin", "configuration"):
        settings = by.service.engine.settings
        table: dict[str, object] = to_jsonable_python(settings.as_table())
        shown = {key: _redacted(value) if key in _TABLES else value for key, value in table.items()}
        return Json({"settings": shown, "origins": settings.origins()})


@router.post("/configuration/reload", status_code=204, response_class=Response)
async def reload(by: By) -> Response:
    """Read the settings anew; what is running goes on as it was begun. Needs `admin`."""
    with by.may("admin", "reload"):
        await by.service.reload()
    return Response(status_code=204)


def _finder(by: Asked) -> Finder:
    engine = by.service.engine
    return Finder(engine.settings, engine.plugins, Inputs())


def _redacted(value: object) -> object:
    if isinstance(value, dict):
        return {key: _redacted(one) for key, one in cast("dict[str, object]", value).items()}
    return value if isinstance(value, bool | int | float) else REDACTED
