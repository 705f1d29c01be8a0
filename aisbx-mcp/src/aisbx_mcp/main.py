"""`aisbx-mcp`: start a server."""

import argparse
import sys
from collections.abc import Sequence

from aisbx.errors import AisbxError, UsageError

from aisbx_mcp.options import ServeOptions

MODES = ("rw", "ro", "cow", "guarded")


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until the client or a signal ends it; gives the exit code."""
    options = _parser().parse_args(arguments)
    try:
        return serve(options)
    except AisbxError as error:
        hint = f"; hint: {error.hint}" if error.hint else ""
        print(f"aisbx-mcp: {error.code}: {error.message}{hint}", file=sys.stderr)
        return error.exit_code


def serve(options: argparse.Namespace) -> int:
    """Make what is to be served and hand it to the transport; an AisbxError says what is wrong."""
    from aisbx_mcp.service import Service

    workspace, mode = _workspace(options.workspace)
    service = Service(
        ServeOptions(
            workspace=workspace,
            mode=mode,
            profile=options.profile,
            profiles=tuple(options.allow_profile),
            network=options.network,
            driver=options.driver,
            preload=tuple(name for one in options.preload for name in one.split(",") if name),
        )
    )
    transport = service.engine.plugins.get("transport", options.transport)
    service.check()
    transport.serve(service)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="aisbx-mcp", description="Give an agent a sandbox, over MCP.", allow_abbrev=False)
    parser.add_argument("--transport", default="stdio", metavar="NAME", help="how clients reach it (stdio)")
    parser.add_argument(
        "-w", "--workspace", metavar="DIR[:MODE]", help="the directory that sandboxes work in (a private one)"
    )
    parser.add_argument("-p", "--profile", default="", metavar="P", help="what sandboxes are made by")
    parser.add_argument(
        "--allow-profile", action="append", default=[], metavar="P", help="another that the agent may ask for"
    )
    parser.add_argument("--network", default="none", choices=("none", "open"), help="the most that it can have (none)")
    parser.add_argument("-d", "--driver", default="", metavar="NAME", help="what confines")
    parser.add_argument(
        "--preload", action="append", default=[], metavar="NAME,…", help="Python packages to import before code comes"
    )
    return parser


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> "object":  # type: ignore[override]
        """Say what is wrong as every command of aisbx does."""
        print(f"aisbx-mcp: usage: {message}; hint: see aisbx-mcp --help", file=sys.stderr)
        sys.exit(UsageError.exit_code)


def _workspace(value: str | None) -> tuple[str | None, str | None]:
    import os

    if value is None:
        return None, None
    path, _, mode = value.rpartition(":")
    if not (path and mode in MODES):
        path, mode = value, ""
    if not os.path.isdir(path):
        raise UsageError(f"--workspace: {path} is no directory", hint="name one that is there")
    return os.path.realpath(path), mode or None
