"""Resources: found by their address, read by whoever may."""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aisbx.errors import AisbxError, NotFoundError, PluginBrokenError
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver import DEFAULT_RESOURCE_SECURITY, Context
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError
from mcp.shared.uri_template import InvalidUriTemplate, UriTemplate
from mcp.types import InputRequiredResult, ResourceTemplate
from mcp.types import Resource as Listed

from aisbx_mcp.offer.calls import called, described, loaded
from aisbx_mcp.resource import Resource
from aisbx_mcp.room import Room
from aisbx_mcp.service import Service

Values = Mapping[str, str | list[str]]


@dataclass(frozen=True, slots=True)
class Offered:
    """One that is installed."""

    name: str
    resource: Resource
    template: UriTemplate

    @property
    def is_template(self) -> bool:
        """Whether it stands for many."""
        return bool(self.template.variable_names)


class Resources:
    """Those that are installed."""

    def __init__(self, service: Service) -> None:
        """Load every resource; an AisbxError says which is broken."""
        self._service = service
        self._all = [_offered(service, name) for name in service.engine.plugins.names("resource")]
        # What names one comes before what stands for many.
        self._all.sort(key=lambda one: one.is_template)

    def __iter__(self) -> Iterator[Offered]:
        """Give them all."""
        return iter(self._all)

    def find(self, uri: str) -> tuple[Offered, Values]:
        """Give what an address means, with the values of its variables; NotFoundError for nothing."""
        found = self._match(uri)
        if found is None:
            hint = "see resources/list and resources/templates/list"
            raise NotFoundError(f"there is no resource {uri}", name=uri, hint=hint)
        return found

    def known(self, uris: Collection[str]) -> list[str]:
        """Give those of some addresses that mean something."""
        return [uri for uri in uris if self._match(uri)]

    async def read(self, uri: str, context: Context) -> Sequence[ReadResourceContents] | InputRequiredResult:
        """Read one; a ResourceError says in a line what is wrong."""
        try:
            one, values = self.find(uri)
            with called(self._service, context, one.resource.scope, "resource") as call:
                found = await one.resource.read(call, **values)
        except NotFoundError as error:
            raise ResourceNotFoundError(_line(error)) from error
        except AisbxError as error:
            raise ResourceError(_line(error)) from error
        if isinstance(found, InputRequiredResult):
            return found
        if not isinstance(found, ReadResourceContents):
            found = ReadResourceContents(found, one.resource.mime_type or None)
        return [found]

    async def version(self, room: Room, uri: str) -> object:
        """Give what differs once a resource has changed; what cannot be told is as if it were not there."""
        try:
            one, values = self.find(uri)
            return await one.resource.version(room, **values) if one.resource.version else None
        except AisbxError:
            return None
        except Exception:  # of a distribution: others' resources are watched all the same
            logging.getLogger("aisbx").exception("the version of %s", uri)
            return None

    def _match(self, uri: str) -> tuple[Offered, Values] | None:
        for one in self._all:
            values = one.template.match(uri)
            if values is not None:
                # What is no plain value here is not given to another either, which might take it.
                return (one, values) if DEFAULT_RESOURCE_SECURITY.validate(values) is None else None
        return None

    def listed(self) -> list[Listed]:
        """Give those that stand for one."""
        return [Listed(uri=one.resource.uri, **_said(one)) for one in self._all if not one.is_template]

    def templates(self) -> list[ResourceTemplate]:
        """Give those that stand for many."""
        return [ResourceTemplate(uri_template=one.resource.uri, **_said(one)) for one in self._all if one.is_template]


def _offered(service: Service, name: str) -> Offered:
    resource = loaded(service, "resource", name, Resource)
    try:
        return Offered(name, resource, UriTemplate.parse(resource.uri))
    except InvalidUriTemplate as error:
        hint = "see RFC 6570"
        raise PluginBrokenError(f"the resource {name!r} has an address that is none: {error}", hint=hint) from error


def _said(one: Offered) -> dict[str, Any]:
    resource = one.resource
    said = {"name": one.name, "title": resource.title, "description": described(resource.read, resource.title)}
    return {**said, "mime_type": resource.mime_type or None}


def _line(error: AisbxError) -> str:
    return f"{error.code}: {error.message}{f'; hint: {error.hint}' if error.hint else ''}"
