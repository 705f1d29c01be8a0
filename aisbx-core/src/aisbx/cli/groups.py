"""Groups of commands (`aisbx profile …`)."""

import typer


def group(summary: str) -> typer.Typer:
    """Make a group that shows its help when no command of it is named."""
    made = typer.Typer(help=summary)
    made.callback(invoke_without_command=True)(show_help)
    return made


def show_help(context: typer.Context) -> None:
    """Print the help of a group whose command was left out."""
    if context.invoked_subcommand is None:
        print(context.get_help())
