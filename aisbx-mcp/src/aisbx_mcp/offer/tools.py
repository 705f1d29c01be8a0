"""Tools. What is wrong with a call is a result, which reaches the model; a protocol error would end its turn."""

from typing import TYPE_CHECKING, Any

from aisbx.errors import AisbxError
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.tools import Tool as SdkTool
from mcp.types import CallToolResult, TextContent, ToolAnnotations
from pydantic import ValidationError

from aisbx_mcp.offer.calls import bound, described, loaded
from aisbx_mcp.service import Service
from aisbx_mcp.tool import Tool

if TYPE_CHECKING:
    from mcp.server.mcpserver import Context


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


def load_tool(service: Service, name: str) -> SdkTool:
    """Load a tool; an AisbxError says what is wrong with it."""
    tool = loaded(service, "tool", name, Tool)
    service.scopes[name] = tool.scope
    made = _Checked.from_function(
        bound(service, name, tool.scope, tool.run, _told),
        name=name,
        title=tool.title,
        description=described(tool.run, tool.title),
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


def refused(code: str, message: str, hint: str) -> CallToolResult:
    """Give an error as a tool's result."""
    lines = [f"{code}: {message}", *([f"hint: {hint}"] if hint else [])]
    return CallToolResult(content=[TextContent(type="text", text="\n".join(lines))], is_error=True)


def _told(error: AisbxError) -> CallToolResult:
    return refused(error.code, error.message, error.hint)


def _wrong(error: ValidationError) -> list[str]:
    return [f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors(include_input=False)]
