"""The SDK's server with what is installed."""

import logging
import os
import warnings
from collections.abc import Awaitable, Callable, Generator, Iterable
from importlib.metadata import version
from typing import Any

from aisbx.errors import AisbxError
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver import Context, MCPServer, RequestStateSecurity
from mcp.server.mcpserver import server as sdk
from mcp.server.mcpserver.tools import Tool, ToolManager
from mcp.shared.exceptions import MCPDeprecationWarning
from mcp.types import (
    CompleteRequestParams,
    CompleteResult,
    EmptyResult,
    GetPromptResult,
    InputRequiredResult,
    Prompt,
    Resource,
    ResourceTemplate,
    SetLevelRequestParams,
    SubscribeRequestParams,
    SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
    UnsubscribeRequestParams,
)
from pydantic import AnyUrl

from aisbx_mcp.offer.calls import entered, protocol_error
from aisbx_mcp.offer.completions import complete
from aisbx_mcp.offer.prompts import Prompts, in_a_line, load_prompts
from aisbx_mcp.offer.resources import Resources
from aisbx_mcp.offer.tools import load_tool
from aisbx_mcp.sdk import ready_a_call
from aisbx_mcp.service import Service
from aisbx_mcp.watching import session_of, watching_of

INSTRUCTIONS = """\
Commands and files here are those of a sandbox: a private Linux system in which you may do as you like. It is made when
you first use it and keeps its files and processes from call to call; it ends with this connection. Start with
run_command. What the sandbox may not do (usually: reach the network, or see the host) is denied with a reason; no other
wording of the same command gets around that. Only what lies in its workspace, the directory in which commands start, is
kept for the user."""

Asked = ServerRequestContext[Any, Any]


_FIRST = "run_command"


class Tools(ToolManager):
    """Those that are installed; each is loaded when it is first asked for: its schema takes a millisecond."""

    def __init__(self, service: Service) -> None:
        """Load none."""
        super().__init__()
        self._service = service
        self.names = tuple(service.engine.plugins.names("tool"))

    def get_tool(self, name: str) -> Tool | None:
        """Give one; an AisbxError says why it can't be loaded."""
        if name in self.names and name not in self._tools:
            self._tools[name] = load_tool(self._service, name)
        return super().get_tool(name)

    def list_tools(self) -> list[Tool]:
        """Give all."""
        return [tool for tool in map(self.get_tool, self.names) if tool is not None]


class Server(MCPServer[Any]):
    """The SDK's, and the methods for which it has no decorator that tells who asks."""

    _resources: Resources

    def __init__(self, service: Service) -> None:
        """Make what answers `initialize`; what there is to be had is for `load`."""
        # The SDK's has rich write the log: 15 ms, and a line in several of 80 columns.
        sdk.configure_logging = log_plainly  # pyright: ignore[reportPrivateImportUsage]  (there is no other way)
        # Whoever speaks an earlier revision is served by what the latest one calls deprecated.
        warnings.simplefilter("ignore", MCPDeprecationWarning)
        # What a client carries from one round of a call to the next is good for that principal only.
        security = RequestStateSecurity(
            keys=[os.urandom(32)], audience="aisbx", bind_principal=lambda asked: service.identify(asked.request).id
        )
        super().__init__(
            "aisbx",
            title="aisbx sandbox",
            instructions=INSTRUCTIONS,
            version=version("aisbx-mcp"),
            log_level="WARNING",
            request_state_security=security,
            middleware=[in_a_line],
            subscriptions=False,  # the SDK's would tell each principal of every other's
        )
        self._service = service
        self._made: Prompts | None = None
        self._begun = False
        self._tools = Tools(service)
        self._tool_manager = self._tools
        serve = self._lowlevel_server.add_request_handler
        serve("completion/complete", CompleteRequestParams, self._complete)
        serve("logging/setLevel", SetLevelRequestParams, self._set_level)
        serve("resources/subscribe", SubscribeRequestParams, self._subscribe)
        serve("resources/unsubscribe", UnsubscribeRequestParams, self._unsubscribe)
        serve("subscriptions/listen", SubscriptionsListenRequestParams, self._listen)

    def prepare(self) -> None:
        """Load what is mostly asked for first; an AisbxError says what is broken."""
        self._tools.get_tool(_FIRST)
        ready_a_call()

    def load(self) -> None:
        """Load whatever is installed; an AisbxError says which of it is broken."""
        for _ in self.loading():
            pass

    def loading(self) -> Generator[None]:
        """Load what is not yet loaded, a piece each time; whatever is asked for between two of them is loaded then."""
        service = self._service
        if not self._begun:
            self._begun = True
            self._resources = Resources(service)
            service.version = self._resources.version
            yield
        for name in self._tools.names:
            self._tools.get_tool(name)
            yield
        _ = self._prompts

    @property
    def _prompts(self) -> Prompts:
        if self._made is None:
            made = load_prompts(self._service)
            for prompt in made.made.values():
                self.add_prompt(prompt)
            self._made = made
        return self._made

    async def serve_stdio(self, before: Callable[[], Awaitable[None]]) -> None:
        """Serve stdin and stdout; what comes there and is no message is answered.

        `before` is called once, before anything is served but `initialize`; it has to begin with `loading`.
        """
        from aisbx_mcp.transports.answering import answering_stdio

        inner = self._lowlevel_server
        async with answering_stdio(before) as (read, write):
            await inner.run(read, write, inner.create_initialization_options())

    async def list_prompts(self) -> list[Prompt]:
        """Give all there are."""
        _ = self._prompts
        return await super().list_prompts()

    async def get_prompt(
        self, name: str, arguments: dict[str, Any] | None = None, context: "Context[Any, Any] | None" = None
    ) -> GetPromptResult | InputRequiredResult:
        """Give a prompt's messages; an MCPError says what is wrong."""
        self._prompts.check(name, arguments or {})
        return await super().get_prompt(name, arguments, context)

    async def list_resources(self) -> list[Resource]:
        """Give those that stand for one."""
        return self._resources.listed()

    async def list_resource_templates(self) -> list[ResourceTemplate]:
        """Give those that stand for many."""
        return self._resources.templates()

    async def read_resource(
        self, uri: AnyUrl | str, context: "Context[Any, Any] | None" = None
    ) -> Iterable[ReadResourceContents] | InputRequiredResult:
        """Read one; a ResourceError says what is wrong."""
        return await self._resources.read(str(uri), context or Context(mcp_server=self))

    async def _complete(self, asked: Asked, params: CompleteRequestParams) -> CompleteResult:
        context: Context[Any, Any] = Context(request_context=asked, mcp_server=self)
        values = await complete(self._service, self._prompts, self._resources, params, context)
        return CompleteResult(completion=values)

    async def _set_level(self, asked: Asked, params: SetLevelRequestParams) -> EmptyResult:
        room = self._service.room(self._service.identify(asked.request))
        watching_of(room).set_level(session_of(asked.request), params.level)
        return EmptyResult()

    async def _subscribe(self, asked: Asked, params: SubscribeRequestParams) -> EmptyResult:
        uri = str(params.uri)
        try:
            scope = self._resources.find(uri)[0].resource.scope
            with entered(self._service, asked.request, scope, "resource") as room:
                await watching_of(room).subscribe(session_of(asked.request), uri, asked.session)
        except AisbxError as error:
            raise protocol_error(error) from error
        return EmptyResult()

    async def _unsubscribe(self, asked: Asked, params: UnsubscribeRequestParams) -> EmptyResult:
        room = self._service.room(self._service.identify(asked.request))
        watching_of(room).unsubscribe(session_of(asked.request), str(params.uri))
        return EmptyResult()

    async def _listen(self, asked: Asked, params: SubscriptionsListenRequestParams) -> SubscriptionsListenResult:
        uris = [str(uri) for uri in params.notifications.resource_subscriptions or ()]
        try:
            room = self._service.room(self._service.identify(asked.request))
            for uri in self._resources.known(uris):
                with entered(self._service, asked.request, self._resources.find(uri)[0].resource.scope, "resource"):
                    pass  # what they may not read they hear nothing of
            watching = watching_of(room)
            async with watching.over(self._resources.known(uris)):
                return await watching.listen(asked, params)
        except AisbxError as error:
            raise protocol_error(error) from error


def log_plainly(level: str = "WARNING") -> None:
    """Write the log on stderr, a line for each event."""
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s")
