"""`aisbx supervisor`: the same service, as a command of aisbx."""

import typer

app = typer.Typer(help="Serve sandboxes over HTTP.", no_args_is_help=True)

SERVE = """\b
Examples:
  aisbx supervisor serve --port 8080         the same as aisbx-supervisor
"""
_ALL: dict[str, object] = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


@app.callback()
def _group() -> None:
    """Have `serve` be a word of its own."""


@app.command("serve", epilog=SERVE, context_settings=_ALL)
def serve(context: typer.Context) -> None:
    """Serve until a signal ends it; its options are those of aisbx-supervisor."""
    from aisbx_supervisor.main import main

    raise typer.Exit(main(context.args))
