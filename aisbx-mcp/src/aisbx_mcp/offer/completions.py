"""Completions: how an argument of a prompt, or a variable of a resource's address, may go on."""

from collections.abc import Mapping

from aisbx.errors import AisbxError, NotFoundError
from mcp.server.mcpserver import Context
from mcp.types import CompleteRequestParams, Completion, PromptReference

from aisbx_mcp.offer.calls import called, protocol_error
from aisbx_mcp.offer.prompts import Prompts
from aisbx_mcp.offer.resources import Resources
from aisbx_mcp.service import Service
from aisbx_mcp.tool import Complete

MOST = 100
"""Values of one answer (MCP, server/utilities/completion)."""


async def complete(
    service: Service, prompts: Prompts, resources: Resources, params: CompleteRequestParams, context: Context
) -> Completion:
    """Give values; none for an argument that nothing completes. An MCPError where neither is there."""
    try:
        scope, completes = _asked(prompts, resources, params)
        run = completes.get(params.argument.name)
        if run is None:
            return Completion(values=[], total=0, has_more=False)
        known = (params.context.arguments if params.context else None) or {}
        with called(service, context, scope, "completion", counted=False) as call:
            values = await run(call, params.argument.value, known)
    except AisbxError as error:
        raise protocol_error(error) from error
    return Completion(values=list(values[:MOST]), total=len(values), has_more=len(values) > MOST)


def _asked(prompts: Prompts, resources: Resources, params: CompleteRequestParams) -> tuple[str, Mapping[str, Complete]]:
    if isinstance(params.ref, PromptReference):
        prompt = prompts.offered.get(params.ref.name)
        if prompt is None:
            raise NotFoundError(
                f"there is no prompt {params.ref.name!r}", name=params.ref.name, hint="see prompts/list"
            )
        return prompt.scope, prompt.complete
    for one in resources:
        if one.resource.uri == params.ref.uri:
            return one.resource.scope, one.resource.complete
    hint = "see resources/templates/list"
    raise NotFoundError(f"there is no template {params.ref.uri}", name=params.ref.uri, hint=hint)
