"""`aisbx-mcp`: start a server."""

import argparse
import gc
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aisbx.errors import AisbxError, UsageError
from aisbx.hosting.arguments import Parser, number, seconds
from aisbx.hosting.arguments import workspace as workspace_of

from aisbx_mcp.options import HttpOptions, ServeOptions

_SHORTEST = 1.0
"""Seconds that a client may be away at least."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until the client or a signal ends it; gives the exit code."""
    options = _parser().parse_args(arguments)
    gc.disable()  # what is imported stays: looking for garbage in it takes a sixth of the start
    try:
        return serve(options)
    except AisbxError as error:
        from aisbx_mcp.transports.ends import tell

        return tell(error)


def serve(options: argparse.Namespace) -> int:
    """Make what is to be served and hand it to the transport; an AisbxError says what is wrong."""
    from aisbx_mcp.service import Service

    workspace, mode = workspace_of(options.workspace)
    http = _http(options)
    service = Service(
        ServeOptions(
            workspace=workspace,
            mode=mode,
            profile=options.profile,
            profiles=tuple(options.allow_profile),
            network=_network(options),
            grants=options.ask_for_hosts,
            driver=options.driver,
            preload=tuple(options.preload),
            http=http,
        ),
        auth=http.auth if options.transport == "http" else "",
        shared=options.transport == "http",
    )
    try:
        directory = service.enter()
        with ThreadPoolExecutor(1) as aside:
            # The client of stdio is this very user.
            begun = aside.submit(service.begin, directory, sandbox=options.transport == "stdio")
            transport = service.engine.plugins.get("transport", options.transport)
            from aisbx_mcp.sdk import load_sdk

            load_sdk()  # takes long: meanwhile
            from aisbx_mcp.server import Server

            service.server = Server(service)
            if options.transport == "stdio":  # whose client waits for the first answer: it loads the rest after that
                service.server.prepare()
            else:
                service.server.load()
            begun.result()
        gc.freeze()
        gc.enable()
        transport.serve(service)
    finally:
        gc.enable()
        service.abandon()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="aisbx-mcp", description="Give an agent a sandbox, over MCP.", allow_abbrev=False)
    parser.add_argument(
        "--transport", default="stdio", metavar="NAME", help="how clients reach it: stdio, http (stdio)"
    )
    parser.add_argument(
        "-w", "--workspace", metavar="DIR[:MODE]", help="the directory that sandboxes work in (a private one)"
    )
    parser.add_argument("-p", "--profile", default="", metavar="P", help="what sandboxes are made by")
    parser.add_argument(
        "--allow-profile", action="append", default=[], metavar="P", help="another that the agent may ask for"
    )
    parser.add_argument(
        "--network",
        default="none",
        metavar="NET",
        help="the most that it can have: none, open or allow=HOST[:PORT],… (none)",
    )
    parser.add_argument(
        "--ask-for-hosts", action="store_true", help="the client's user may be asked for another host, for a while"
    )
    parser.add_argument("-d", "--driver", default="", metavar="NAME", help="what confines")
    parser.add_argument(
        "--preload", action="extend", type=_modules, default=[], metavar="NAME,…", help="Python modules to import early"
    )
    served = parser.add_argument_group("http", "with --transport http; clients show a key, see `aisbx key create`")
    served.add_argument("--host", metavar="H", help="the address (127.0.0.1)")
    served.add_argument("--port", type=number, metavar="N", help="the port (8080)")
    served.add_argument("--certfile", metavar="FILE", help="a certificate, PEM: HTTPS")
    served.add_argument("--keyfile", metavar="FILE", help="its key")
    served.add_argument("--no-auth", action="store_true", help="ask for no key: loopback addresses only")
    served.add_argument("--allow-host", action="append", metavar="NAME[:PORT]", help="another name it goes by")
    served.add_argument("--allow-origin", action="append", metavar="URL", help="web pages that may use it")
    served.add_argument("--idle", type=seconds, metavar="T", help="when what its client left alone ends (30m)")
    return parser


def _http(options: argparse.Namespace) -> HttpOptions:
    """Give what was said for `http`; UsageError where that is not the transport."""
    named = ("host", "port", "certfile", "keyfile", "allow_host", "allow_origin", "idle")
    given: dict[str, Any] = {name: getattr(options, name) for name in named if getattr(options, name) is not None}
    if options.transport != "http" and (given or options.no_auth):
        name = next(iter(given), "no_auth").replace("_", "-")
        raise UsageError(f"--{name} says nothing to the transport {options.transport}", hint="add --transport http")
    given["hosts"] = tuple(given.pop("allow_host", ()))
    given["origins"] = tuple(given.pop("allow_origin", ()))
    if "idle" in given:
        given["idle"] = max(_SHORTEST, given["idle"])
    if options.no_auth:
        given["auth"] = ""
    return HttpOptions(**given)


def _network(options: argparse.Namespace) -> str:
    """Give what was said of the network; UsageError where it is none, or nobody could be asked for more of it."""
    from aisbx.cli.request import parse_network
    from aisbx.types import NetworkMode

    mode = parse_network(options.network).mode
    if options.ask_for_hosts and mode is not NetworkMode.ALLOWLIST:
        hint = "add --network allow=HOST[:PORT],…"
        raise UsageError(f"--ask-for-hosts says nothing to --network {mode.value}", hint=hint)
    return options.network


def _modules(text: str) -> list[str]:
    names = [name for name in text.split(",") if name]
    if wrong := [name for name in names if not all(part.isidentifier() for part in name.split("."))]:
        raise argparse.ArgumentTypeError(f"{wrong[0]!r} is no module of Python's")
    return names
