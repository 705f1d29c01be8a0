"""`aisbx run`: collects the raw strings of its options; `perform` does the rest."""

from typing import Annotated

import typer

from aisbx.cli import complete
from aisbx.cli.options import Json
from aisbx.cli.perform import perform

EXAMPLES = """\b
Examples:
  aisbx run -p python-dev python script.py
  aisbx run                                       a shell in the sandbox
  aisbx run -p python-dev+offline -t 30s --memory 512M -- pytest -q
  aisbx run -w ~/src/app:ro -e MODE=test -- make check
  aisbx run --mount ~/data:/data -- ls /data      extra mounts are read-only
  aisbx run --dry-run -p shell -- make            what it would see and what would hold
  aisbx run --json -- make                        one JSON object: exit code, streams, limits
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    # Whatever stands behind the command is the command's own, also where it looks like an option.
    settings = {"allow_interspersed_args": False}
    app.command("run", epilog=EXAMPLES, context_settings=settings)(run)


def run(  # noqa: PLR0913, PLR0917 - the options are fixed; each is one parameter
    command: Annotated[list[str] | None, typer.Argument(metavar="CMD", hidden=True)] = None,
    profile: Annotated[
        list[str] | None,
        typer.Option("--profile", "-p", metavar="P[+P]", help="Profiles, composed.", autocompletion=complete.profiles),
    ] = None,
    driver: Annotated[
        list[str] | None,
        typer.Option("--driver", "-d", metavar="D", help="Driver, or auto.", autocompletion=complete.drivers),
    ] = None,
    workspace: Annotated[
        list[str] | None,
        typer.Option("--workspace", "-w", metavar="DIR[:MODE]", help="Directory to work in; rw, ro, cow or guarded."),
    ] = None,
    env: Annotated[
        list[str] | None, typer.Option("--env", "-e", metavar="K=V", help="Set a variable; may be repeated.")
    ] = None,
    mount: Annotated[
        list[str] | None,
        typer.Option("--mount", metavar="SRC:DST[:rw]", help="Show a host path inside; may be repeated."),
    ] = None,
    network: Annotated[
        list[str] | None,
        typer.Option("--network", metavar="NET", help="none, open or allow=HOST[:PORT],...; none is the default."),
    ] = None,
    publish: Annotated[list[str] | None, typer.Option("--publish", metavar="PORT", hidden=True)] = None,
    timeout: Annotated[
        list[str] | None, typer.Option("--timeout", "-t", metavar="TIME", help="End it after 30s, 5m, 1h30m.")
    ] = None,
    memory: Annotated[
        list[str] | None, typer.Option("--memory", metavar="SIZE", help="Cap its memory: 512M, 1.5G.")
    ] = None,
    pids: Annotated[list[str] | None, typer.Option("--pids", metavar="N", help="Cap its tasks.")] = None,
    cpus: Annotated[list[str] | None, typer.Option("--cpus", metavar="N", help="Cap its cores: 2, 0.5.")] = None,
    disk: Annotated[
        list[str] | None, typer.Option("--disk", metavar="SIZE", help="Cap what it writes to private space.")
    ] = None,
    output: Annotated[
        list[str] | None, typer.Option("--output", metavar="SIZE", help="Pass on this much output, drop the rest.")
    ] = None,
    sandbox: Annotated[
        list[str] | None, typer.Option("--sandbox", "-s", metavar="NAME", help="In a sandbox that aisbx create made.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be mounted, filtered and limited.")
    ] = False,
    json: Json = False,
    interactive: Annotated[bool, typer.Option("--interactive", "-i", hidden=True)] = False,
) -> int:
    """Run CMD in a fresh sandbox; without CMD, on a terminal, a shell."""
    del interactive  # an older spelling; stdin is always passed on
    options = {
        "profile": profile,
        "driver": driver,
        "workspace": workspace,
        "env": env,
        "mount": mount,
        "network": network,
        "publish": publish,
        "timeout": timeout,
        "memory": memory,
        "pids": pids,
        "cpus": cpus,
        "disk": disk,
        "output": output,
        "sandbox": sandbox,
    }
    given = {name: values for name, values in options.items() if values}
    return perform(given, command or (), dry_run=dry_run, as_json=json)
