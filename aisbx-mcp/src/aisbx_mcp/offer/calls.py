"""Between the SDK and what a distribution offers: who asks, whether they may, and what an error reads like."""

import inspect
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar

from aisbx.errors import AisbxError, NotFoundError, PluginBrokenError, StateError, UsageError
from mcp.server.mcpserver import Context
from mcp.shared.exceptions import MCPError
from mcp.types import INTERNAL_ERROR, INVALID_PARAMS

from aisbx_mcp.progress import Progress
from aisbx_mcp.room import DEFAULT, Room
from aisbx_mcp.service import Service
from aisbx_mcp.tool import Call
from aisbx_mcp.violations import denied, tell

T = TypeVar("T")


def loaded(service: Service, kind: str, name: str, expected: type[T]) -> T:
    """Load what a distribution offers; PluginBrokenError where it is something else."""
    found = service.engine.plugins.get(kind, name)
    if not isinstance(found, expected):
        what = f"{expected.__module__}.{expected.__name__}"
        raise PluginBrokenError(f"the {kind} {name!r} is no {what}", hint="see `aisbx plugin list`")
    return found


@contextmanager
def entered(service: Service, request: object, scope: str, what: str, *, counted: bool = True) -> Generator[Room]:
    """Let whoever asks in; an AisbxError says why not. Not `counted`: what clients send by themselves, as one types."""
    principal = service.identify(request)
    taken = service.taken(request, scope) or not counted
    with service.door.enter(principal, scope, what, taken=taken):
        yield service.room(principal)


@contextmanager
def called(service: Service, context: Context, scope: str, what: str, *, counted: bool = True) -> Generator[Call]:
    """Let a call in, as `entered` does, and tell its client every few seconds that it goes on."""
    progress = Progress(context.report_progress)
    with entered(service, context.request_context.request, scope, what, counted=counted) as room, progress.reported():
        yield Call(room, service, context, progress)


def bound(
    service: Service, name: str, scope: str, run: Callable[..., Awaitable[Any]], failed: Callable[[AisbxError], Any]
) -> Callable[..., Awaitable[Any]]:
    """Give the function that the SDK calls: `run`, with the SDK's context in place of a `Call`."""

    async def call(context: Context, **arguments: Any) -> Any:  # noqa: ANN401 - whatever it takes and gives
        try:
            with called(service, context, scope, name) as its:
                denied(service)  # what comes from now on is told of
                try:
                    return await run(its, **arguments)
                except StateError:
                    box = its.room.boxes.get(arguments.get("sandbox", DEFAULT)) if of_one else None
                    if box is not None:
                        await its.room.check(box)  # that it has ended explains more
                    raise
                finally:
                    await tell(its)
        except AisbxError as error:
            return failed(error)

    signature = inspect.signature(run, eval_str=True)
    of_one = "sandbox" in signature.parameters or failed is raising  # a prompt is of the usual one
    first, *others = signature.parameters.values()
    context = first.replace(name="context", annotation=Context)
    call.__signature__ = signature.replace(parameters=[context, *others])  # type: ignore[attr-defined]
    call.__annotations__ = {"context": Context, **{one.name: one.annotation for one in others}}
    return call


def described(run: Callable[..., Any], title: str) -> str:
    """Give what a function says of itself."""
    return inspect.cleandoc(run.__doc__ or title)


def protocol_error(error: AisbxError) -> MCPError:
    """Give an error as a request's answer; a tool's is a result, see `aisbx_mcp.offer.tools`."""
    code = INVALID_PARAMS if isinstance(error, NotFoundError | UsageError) else INTERNAL_ERROR
    hint = f"; hint: {error.hint}" if error.hint else ""
    return MCPError(code, f"{error.code}: {error.message}{hint}")


def raising(error: AisbxError) -> NoReturn:
    """Answer with an error."""
    raise protocol_error(error) from error
