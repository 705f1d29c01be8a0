"""Keys: made, listed, ended; needs `admin`, and none of them reaches further than who makes it."""

import time
from contextlib import suppress
from typing import Annotated

from aisbx.audit.jsontext import dumps
from aisbx.audit.reserve import recording
from aisbx.audit.write import append_once, start
from aisbx.errors import NotFoundError, StateError
from aisbx.keys import Key, Keyring
from aisbx.plan.run import new_run
from fastapi import APIRouter, Depends
from fastapi import Path as InPath
from pydantic import BaseModel, Field
from starlette.responses import Response

from aisbx_supervisor.answers import Json
from aisbx_supervisor.asked import Asked, as_it_stands, asked
from aisbx_supervisor.models import NewKey
from aisbx_supervisor.options import HOST

router = APIRouter(prefix="/keys", tags=["keys"])
By = Annotated[Asked, Depends(asked)]


class Known(BaseModel):
    """What is kept of a key. Times are seconds since the epoch; 0 is never, or not yet."""

    id: str
    name: str
    state: str
    scopes: list[str]
    created: int
    expires: int
    revoked: int
    workspace: str
    mode: str
    profile: str


class Made(Known):
    """A key that was made."""

    key: str = Field(description="It is told once.")


class Keys(BaseModel):
    """Those that hold, and those that ended in the last 90 days."""

    keys: list[Known]


@router.get("", response_model=Keys)
async def listed(by: By) -> Response:
    """List the keys, never what is shown of them."""
    with by.may("admin", "keys"):
        ring = Keyring(by.service.engine.state)
        found = await by.service.aside(lambda: sorted(ring.all().values(), key=lambda key: key.created))
        return Json({"keys": [_row(key) for key in found]})


@router.post("", status_code=201, response_model=Made)
async def create(by: By, body: NewKey) -> Response:
    """Make a key. A directory, or a profile that is not offered here, is given at the host only: `aisbx key create`."""
    with by.may("admin", "key-create"), as_it_stands():
        offered = by.service.boxes.profiles(by.who)
        profile = offered.completed(body.profile or "") or by.who.profile
        offered.check(profile, "rest.profile")

        def make() -> dict[str, object]:
            ring = Keyring(by.service.engine.state)
            key, written = ring.create(body.name, body.scopes, seconds=body.expires, profile=profile)
            try:
                _record(by, "key.create", key)
            except StateError:
                with suppress(StateError):
                    ring.revoke(key.id)  # a key that nobody can know of
                raise
            return {**_row(key), "key": written}

        made = await by.service.aside(make)
    return Json(made, 201)


@router.delete("/{key}", response_model=Known)
async def revoke(by: By, key: Annotated[str, InPath(pattern="^[0-9a-f]{12}$")]) -> Response:
    """End a key for good, by its id; what it had ends within seconds."""
    with by.may("admin", "key-revoke"):

        def end() -> dict[str, object]:
            ring = Keyring(by.service.engine.state)
            found = ring.all().get(key)
            if found is None or found.revoked:
                raise NotFoundError(f"there is no key {key!r} to revoke", name=key, hint="GET /api/v1/keys lists them")
            gone = ring.revoke(key)
            _record(by, "key.revoke", gone)
            return _row(gone)

        return Json(await by.service.aside(end))


def _row(key: Key) -> dict[str, object]:
    return {**key.as_record(), "state": key.state(time.time())}


def _record(by: Asked, kind: str, key: Key) -> None:
    beginning = start(kind, new_run(), by.who.id, HOST, [])
    line = f'{beginning},"key":{dumps({"id": key.id, "name": key.name, "scopes": list(key.scopes)})}}}'
    place = by.service.engine.audit
    with recording(place["path"], f"{kind} {key.id}"):
        append_once(place, line)
