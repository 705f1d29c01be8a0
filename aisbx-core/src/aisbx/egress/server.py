"""The process that runs an egress plugin for one sandbox: `python -I -m aisbx.egress.server`, by the launcher.

On stdin, marshalled: the job of `aisbx.egress.job`, the run's id, the principal's, the directory of a sandbox that
lasts, and what that module tells of secrets (empty where there are none). Descriptor 3 is a socket over which those
come that `aisbx_linux.listen` opened inside; 4 is a pidfd of the sandbox's first process, with whose end this one ends.
It answers `ok` on stdout, or what is wrong.
"""

import json
import marshal
import os
import resource
import select
import socket
import sys
import threading
from typing import NoReturn

from aisbx.egress.grants import Granted
from aisbx.egress.job import understood
from aisbx.egress.recorder import Recorder
from aisbx.egress.telling import Telling
from aisbx.errors import AisbxError
from aisbx.plugins import Plugins
from aisbx.types import Egress, EgressSockets, SecretEgress
from aisbx.whose import Whose

SOCKET, PROCESS = 3, 4
_PATIENCE = 10.0
_MOST = 253
"""Descriptors of one message (unix(7), SCM_MAX_FD)."""
_NAMED = 3


def main() -> None:
    """Serve until the sandbox has ended."""
    with open(0, "rb", closefd=False) as stream:
        text, run, principal, home, proxied = marshal.load(stream)  # noqa: S302 - from the launcher that started this
    threading.Thread(target=_wait, daemon=True).start()
    try:
        job = json.loads(text)
        plugins = Plugins(job["allow"], job["disable"])
        plugin = plugins.get("egress", job["plugin"], job["settings"])
        if proxied:
            plugin = _bearing(plugin, proxied)
        sinks = {name: plugins.get("sink", name, table) for name, table in job["sinks"].items()}
        name = os.path.basename(os.path.dirname(home)) if home else ""
        whose = Whose(os.path.dirname(home), principal).now if home else lambda: principal
        recorder = Recorder(job["audit"], job["reserve"], run or name, whose, name)
        sockets = _sockets()
        if sinks:
            recorder.tell = Telling(sinks, recorder.sink_failed).tell
    except (AisbxError, OSError) as error:
        os.write(1, (str(error) or type(error).__name__).encode(errors="replace"))
        sys.exit(1)
    os.write(1, b"ok")
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    plugin.serve(Granted(tuple(job["rules"]), home), sockets, recorder.report)


def _bearing(plugin: Egress, proxied: str) -> Egress:
    """Give a plugin that has secrets; this process leaves no core file then."""
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    soft = 1 if hard == resource.RLIM_INFINITY else min(1, hard)  # 1, not 0: see core(5) on pipes
    resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))
    if not isinstance(plugin, SecretEgress):
        raise OSError("the egress plugin puts no secrets in")
    return plugin.bearing(*understood(proxied))


def _sockets() -> EgressSockets:
    """Take the sockets that were opened inside; OSError where none come, or they are others."""
    with socket.socket(fileno=SOCKET) as source:
        source.settimeout(_PATIENCE)
        said, descriptors, _, _ = socket.recv_fds(source, 500, _MOST)
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)  # noqa: FBT003 - the name says it
    if len(descriptors) < _NAMED:
        raise OSError(said.decode(errors="replace") or "nobody listens in the sandbox's network")
    proxy, datagrams, queries, *spare = descriptors
    for listener in (proxy, queries):
        with socket.socket(fileno=os.dup(listener)) as place:
            if not place.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                raise OSError("what came from the sandbox's network does not listen")
    return EgressSockets(proxy, datagrams, queries, tuple(spare))


def _wait() -> NoReturn:
    """End this process with the sandbox: nothing it holds is worth more than that it is gone."""
    poller = select.poll()
    poller.register(PROCESS, select.POLLIN)
    poller.poll()
    os._exit(0)


if __name__ == "__main__":
    main()
