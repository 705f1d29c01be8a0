"""`aisbx mcp`: serve, and tell clients about the server."""

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer
from aisbx.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from aisbx_mcp.clients.known import Client

app = typer.Typer(help="Give agents a sandbox over MCP, and tell their programs about it.", no_args_is_help=True)

SERVE = """\b
Examples:
  aisbx mcp serve --workspace ~/project      the same as aisbx-mcp
"""
INSTALL = """\b
Examples:
  aisbx mcp install --client claude-code
  aisbx mcp install --client all -- --workspace ~/project:guarded --profile python-dev
  aisbx mcp install --client cursor --print
  aisbx mcp install --client codex --uninstall
"""
CHECK = """\b
Examples:
  aisbx mcp check                            every client that has it
"""
_CLIENTS = "claude-desktop, claude-code, cursor, vscode, codex or all."
Which = Annotated[str, typer.Option("--client", metavar="NAME", help=_CLIENTS)]
_ALL: dict[str, object] = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


@app.command("serve", epilog=SERVE, context_settings=_ALL)
def serve(context: typer.Context) -> None:
    """Serve a client on stdin and stdout; its options are those of aisbx-mcp."""
    from aisbx_mcp.main import main

    raise typer.Exit(main(context.args))


@app.command("install", epilog=INSTALL)
def install(
    client: Which,
    arguments: Annotated[list[str] | None, typer.Argument(metavar="[-- OPTION…]", help="Options of aisbx-mcp.")] = None,
    show: Annotated[bool, typer.Option("--print", help="Show what would stand there; change nothing.")] = False,
    uninstall: Annotated[bool, typer.Option("--uninstall", help="Take it out.")] = False,
) -> None:
    """Put this server into a client's configuration. What was there before is kept beside it."""
    words = ["--transport", "stdio", *(arguments or [])]
    command, chosen, failed = _command(), _chosen(client), 0
    for one in chosen:
        try:
            _install(one, one.entry(command, words), show=show, uninstall=uninstall)
        except ConfigError as error:  # the others are told all the same
            if len(chosen) == 1:
                raise
            failed += 1
            print(f"aisbx: {one.title}: {error.message}; hint: {error.hint}", file=sys.stderr)
    if failed:
        raise ConfigError(f"{failed} of {len(chosen)} clients were left as they are", hint="see above, a line for each")


def _install(client: "Client", entry: dict[str, object], *, show: bool, uninstall: bool) -> None:
    from aisbx_mcp.clients import merge

    before = merge.read(client)
    after = merge.without_entry(client, before) if uninstall else merge.with_entry(client, before, entry)
    if show:
        print(f"{client.path}:\n{after}", end="")
    elif after == before:
        print(f"{client.title}: nothing to change in {client.path}")
    else:
        backup = merge.write(client, after, before)
        kept = f" (before: {backup})" if backup else ""
        print(f"{client.title}: {client.path}{kept}. Start it anew.")


@app.command("check", epilog=CHECK)
def check(client: Which = "all") -> None:
    """Start the server as each client would, and say why one can't connect."""
    from aisbx_mcp.clients.check import examine

    rows = [(one, examine(one, os.environ)) for one in _chosen(client)]
    for one, (level, said) in rows:
        print(f"{level:8} {one.title}: {said}")
    if any(level == "failed" for _, (level, _) in rows):
        raise typer.Exit(1)


def _chosen(name: str) -> "list[Client]":
    from aisbx_mcp.clients.known import clients

    known = clients(os.environ)
    if name == "all":
        return [*known.values()]
    if name not in known:
        raise UsageError(f"--client: {name!r} is none", hint=f"one of {', '.join(known)}, all")
    return [known[name]]


def _command() -> str:
    """Give the path of the server's command: clients look it up with little or no PATH."""
    beside = os.path.join(os.path.dirname(sys.executable), "aisbx-mcp")
    if not os.access(beside, os.X_OK):
        raise UsageError(f"there is no {beside}", hint="install aisbx-mcp into an environment (venv, pipx, uv tool)")
    return beside
