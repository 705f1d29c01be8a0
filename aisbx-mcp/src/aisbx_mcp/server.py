"""The SDK's server with our tools."""

import inspect
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from aisbx.errors import AisbxError, PluginBrokenError
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.tools import Tool as SdkTool
from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS, CallToolResult, TextContent, ToolAnnotations
from pydantic import ValidationError

from aisbx_mcp.resources import add_resources
from aisbx_mcp.service import Service
from aisbx_mcp.tool import Call, Tool

if TYPE_CHECKING:
    from mcp.server.context import CallNext, HandlerResult, ServerRequestContext

_TOLD = 200
"""Characters of an error's text that a client is told."""
INSTRUCTIONS = """\
Commands and files here are those of a sandbox: a private Linux system in which you may do as you like. It is made when
you first use it and keeps its files and processes from call to call; it ends with this connection. Start with
run_command. What the sandbox may not do (usually: reach the network, or see the host) is denied with a reason; no other
wording of the same command gets around that. Only what lies in its workspace, the directory in which commands start, is
kept for the user."""


def prepare(service: Service) -> None:
    """Load every tool that is installed; an AisbxError says which one is broken."""
    service.tools = [_loaded(service, name) for name in service.engine.plugins.names("tool")]


def make_server(service: Service) -> "MCPServer[Any]":
    """Make a server that offers what was prepared."""
    server: MCPServer[Any] = MCPServer(
        "aisbx",
        title="aisbx sandbox",
        instructions=INSTRUCTIONS,
        version=version("aisbx-mcp"),
        log_level="WARNING",
        tools=service.tools,
    )
    add_resources(server, service)
    server.middleware.append(_in_a_line)
    return server


async def _in_a_line(ctx: "ServerRequestContext[Any, Any]", call_next: "CallNext") -> "HandlerResult":
    """Answer a prompt of no such name, or wrong arguments, with an error of the protocol's.

    To the SDK it is a failure of its own, with a traceback in the log.
    """
    try:
        return await call_next(ctx)
    except ValueError as error:
        if isinstance(error, ValidationError) or ctx.method != "prompts/get":
            raise
        raise MCPError(INVALID_PARAMS, str(error)[:_TOLD]) from error


class _Checked(SdkTool):
    """A tool that takes what it names and nothing else, and says in a line what is wrong with the rest."""

    async def run(self, arguments: dict[str, Any], context: "Context[Any, Any]", convert_result: bool = False) -> Any:  # noqa: ANN401, FBT001, FBT002 - the SDK's
        if unknown := sorted(set(arguments) - set(self.parameters["properties"])):
            names = ", ".join(self.parameters["properties"]) or "none"
            return refused("usage", f"there is no argument {', '.join(unknown)}", f"{self.name} takes {names}")
        try:
            return await super().run(arguments, context, convert_result)
        except ToolError as error:
            if isinstance(error.__cause__, ValidationError):
                return refused("usage", "; ".join(_wrong(error.__cause__)), f"see the schema of {self.name}")
            raise


def _loaded(service: Service, name: str) -> SdkTool:
    tool = service.engine.plugins.get("tool", name)
    if not isinstance(tool, Tool):
        raise PluginBrokenError(f"the tool {name!r} is no aisbx_mcp.tool.Tool", hint="see `aisbx plugin list`")
    service.scopes[name] = tool.scope
    made = _Checked.from_function(
        _bound(service, name, tool),
        name=name,
        title=tool.title,
        description=inspect.cleandoc(tool.run.__doc__ or tool.title),
        annotations=ToolAnnotations(
            title=tool.title,
            read_only_hint=tool.read_only,
            destructive_hint=tool.destructive,
            idempotent_hint=tool.idempotent or tool.read_only,
            open_world_hint=service.options.network != "none",
        ),
        structured_output=False,  # clients drop images where there is some
    )
    made.parameters["additionalProperties"] = False
    return made


def _bound(service: Service, name: str, tool: Tool) -> Callable[..., Awaitable[Any]]:
    """Give the function that the SDK calls: ours, with the SDK's context in place of a `Call`."""

    async def call(context: Context, **arguments: Any) -> Any:  # noqa: ANN401 - whatever the tool takes and gives
        try:
            request = context.request_context.request
            principal = service.identify(request)
            with service.door.enter(principal, tool.scope, name, taken=service.taken(request, tool.scope)):
                return await tool.run(Call(service.room(principal), service, context), **arguments)
        except AisbxError as error:
            return refused(error.code, error.message, error.hint)

    signature = inspect.signature(tool.run, eval_str=True)
    first, *others = signature.parameters.values()
    context = first.replace(name="context", annotation=Context)
    call.__signature__ = signature.replace(parameters=[context, *others])  # type: ignore[attr-defined]
    call.__annotations__ = {"context": Context, **{one.name: one.annotation for one in others}}
    return call


def refused(code: str, message: str, hint: str) -> CallToolResult:
    """Give an error as a tool's result, which reaches the model; the protocol's own would end its turn."""
    lines = [f"{code}: {message}", *([f"hint: {hint}"] if hint else [])]
    return CallToolResult(content=[TextContent(type="text", text="\n".join(lines))], is_error=True)


def _wrong(error: ValidationError) -> list[str]:
    return [f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors(include_input=False)]
