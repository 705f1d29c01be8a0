"""`aisbx-supervisor`: start the service."""

import argparse
import os
import sys
from collections.abc import Sequence

from aisbx.errors import AisbxError, UsageError
from aisbx.hosting.arguments import Parser, number, seconds
from aisbx.hosting.arguments import workspace as workspace_of

from aisbx_supervisor.options import ServeOptions

_MOST_WAITING = 100


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal ends it; gives the exit code."""
    parsed = _parser().parse_args(arguments)
    try:
        options = _options(parsed)
        from aisbx_supervisor.listen import listen
        from aisbx_supervisor.server import serve  # FastAPI takes long

        sockets = listen(options, os.environ, said=any((parsed.host, parsed.port is not None, parsed.uds)))
        try:
            return serve(options, sockets)
        finally:
            for one in sockets:
                one.close()
            if options.uds and sockets:
                _unlink(options.uds)
    except AisbxError as error:
        hint = f"; hint: {error.hint}" if error.hint else ""
        sys.stderr.write(f"aisbx-supervisor: {error.code}: {error.message}{hint}\n")
        return error.exit_code


def _options(parsed: argparse.Namespace) -> ServeOptions:
    if parsed.uds and (parsed.host or parsed.port is not None):
        raise UsageError("--uds is in place of --host and --port", hint="leave one out")
    workspace, mode = workspace_of(parsed.workspace)
    return ServeOptions(
        host=parsed.host or "127.0.0.1",
        port=8080 if parsed.port is None else parsed.port,
        uds=parsed.uds or "",
        certfile=parsed.certfile,
        keyfile=parsed.keyfile,
        auth="" if parsed.no_auth else "api-key",
        hosts=tuple(parsed.allow_host),
        origins=tuple(parsed.allow_origin),
        workspace=workspace,
        mode=mode,
        workspaces=parsed.workspaces,
        profile=parsed.profile,
        profiles=tuple(parsed.allow_profile),
        network=parsed.network,
        driver=parsed.driver,
        sandboxes=parsed.sandboxes,
        pools=tuple(parsed.pool),
        drain=parsed.drain,
    )


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="aisbx-supervisor", description="Serve sandboxes over HTTP.", allow_abbrev=False)
    add = parser.add_argument
    add("--host", metavar="H", help="the address (127.0.0.1)")
    add("--port", type=number, metavar="N", help="the port (8080)")
    add("--uds", metavar="PATH", help="a Unix socket that only you can open, in place of an address")
    add("--certfile", default="", metavar="FILE", help="a certificate, PEM: HTTPS")
    add("--keyfile", default="", metavar="FILE", help="its key")
    add("--no-auth", action="store_true", help="ask for no key: loopback addresses and Unix sockets only")
    add("--allow-host", action="append", default=[], metavar="NAME[:PORT]", help="another name it goes by")
    add("--allow-origin", action="append", default=[], metavar="URL", help="web pages that may use it")
    add("-w", "--workspace", metavar="DIR[:MODE]", help="the directory that all sandboxes work in (a private one each)")
    add("--workspaces", default="", metavar="DIR", help="where private ones are made (/var/tmp/aisbx-supervisor-UID)")
    add("-p", "--profile", default="", metavar="P", help="what sandboxes are made by")
    add("--allow-profile", action="append", default=[], metavar="P", help="another that a client may ask for")
    add("--network", default="none", choices=("none", "open"), help="the most that a sandbox can have (none)")
    add("-d", "--driver", default="", metavar="NAME", help="what confines")
    add("--sandboxes", type=number, default=64, metavar="N", help="how many a key may have at once (64)")
    add("--pool", type=_pool, action="append", default=[], metavar="P=N", help="have N sandboxes of a profile wait")
    add("--drain", type=seconds, default=30.0, metavar="T", help="how long requests have when it is to end (30s)")
    return parser


def _pool(text: str) -> tuple[str, int]:
    profile, equals, count = text.rpartition("=")
    if not equals or not profile or not 0 < number(count) <= _MOST_WAITING:
        raise argparse.ArgumentTypeError(f"{text!r} is no PROFILE=N with N from 1 to {_MOST_WAITING}")
    return profile, number(count)


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except OSError as error:
        sys.stderr.write(f"aisbx-supervisor: {path} stays: {error.strerror}\n")
