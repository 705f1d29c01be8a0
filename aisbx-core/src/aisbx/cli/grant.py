"""`aisbx grant`: more of the network for a sandbox that lasts, while it runs."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from aisbx.cli import complete
from aisbx.cli.options import Json
from aisbx.cli.render import emit_json, table
from aisbx.cli.session import engine, principal, remote, server
from aisbx.errors import UsageError
from aisbx.units import format_duration, parse_duration

if TYPE_CHECKING:
    from aisbx.engine.granting import Granting
    from aisbx.remote.host import RemoteGranting

EXAMPLES = """\b
Examples:
  aisbx grant work files.example.org:443 --ttl 10m
  aisbx grant work files.example.org:443 --withdraw
  aisbx grant work                                     what it was granted
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("grant", epilog=EXAMPLES)(grant)


def grant(
    name: Annotated[str, typer.Argument(metavar="NAME", autocompletion=complete.sandboxes)],
    rule: Annotated[str, typer.Argument(metavar="[HOST[:PORT]]", show_default=False)] = "",
    ttl: Annotated[str, typer.Option("--ttl", metavar="T", help="Take it back after this time.")] = "",
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Take it back now.")] = False,
    json: Json = False,
) -> None:
    """Let a sandbox with an allow-list reach one host more, or take that back; no command has to start anew."""
    if withdraw and (ttl or not rule):
        raise UsageError("--withdraw takes a HOST[:PORT] and no --ttl", hint=f"aisbx grant {name} shows what there is")
    if ttl and not rule:
        raise UsageError("--ttl is for a HOST[:PORT]", hint=f"aisbx grant {name} HOST:PORT --ttl {ttl}")
    granting = _granting(name)
    if withdraw:
        granting.withdraw(rule, principal(), "cli")
    elif rule:
        granting.add(rule, parse_duration(ttl, name="--ttl") if ttl else 0.0, principal(), "cli")
    held = granting.all()
    if json:
        emit_json({"sandbox": name, "grants": [{"rule": one.rule, "until": one.until or None} for one in held]})
    elif not rule and held:
        now = time.time()
        rows = [(one.rule, format_duration(max(0.0, one.until - now)) if one.until else "") for one in held]
        print(table(("rule", "ends in"), rows))


def _granting(name: str) -> "Granting | RemoteGranting":
    if remote:
        from aisbx.remote.host import RemoteGranting

        return RemoteGranting(server(), name)
    from aisbx.engine.granting import granting

    return granting(engine(), name)
