"""Published ports, of drivers that have them: a way in for the host's own loopback, and none out."""

import socket
from dataclasses import replace

import pytest

from aisbx.admission import require_able
from aisbx.errors import AisbxError, UsageError
from aisbx.testing.behaviour.base import SECONDS, Base, standing, until
from aisbx.testing.scene import Scene
from aisbx.types import Command, Driver, LastingDriver, PublishingDriver, Stdio

_SERVER = """
import socket, sys
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    client, _ = server.accept()
    with client:
        client.sendall(b"inside:" + client.recv(99))
"""
_OUT = """
import socket, sys
try:
    socket.create_connection(("127.0.0.1", int(sys.argv[1])), 2).close()
    print("reached")
except OSError:
    print("not reached")
"""


class Publishing(Base, contract=True):
    """`SandboxSpec.publish`, in a sandbox without a network."""

    def test_a_published_port_leads_from_the_hosts_loopback_to_a_server_inside_and_nowhere_else(
        self, driver: Driver, scene: Scene
    ) -> None:
        """Not from other addresses of the host, not the other way, not longer than the sandbox.

        A driver that has none is refused where one is asked for.
        """
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        spec = replace(scene.spec(), publish=(port,))
        if not isinstance(driver, PublishingDriver):
            with pytest.raises(UsageError, match="publishes no ports"):
                require_able(spec, driver)
            return
        require_able(spec, driver)
        assert isinstance(driver, LastingDriver), "the kit tries published ports in sandboxes that last"
        with standing(driver, scene, spec) as sandbox, socket.create_server(("127.0.0.1", 0)) as of_the_host:
            server = sandbox.spawn(Command(argv=(self.python, "-I", "-S", "-c", _SERVER, str(port))), Stdio())
            until(lambda: _asked("127.0.0.1", port) == b"inside:hello")
            other = _outward()
            assert not other or _asked(other, port) == b"", f"reached by {other}"
            assert self.said(sandbox, _OUT, str(of_the_host.getsockname()[1])) == "not reached\n"
            with pytest.raises(AisbxError), standing(driver, scene, spec):
                pass  # the port is taken
            server.kill()
            server.wait(SECONDS)
        assert _asked("127.0.0.1", port) == b"", "the port is still open when the sandbox has ended"


def _asked(host: str, port: int) -> bytes:
    try:
        with socket.create_connection((host, port), SECONDS) as client:
            client.sendall(b"hello")
            return client.recv(99)
    except OSError:
        return b""


def _outward() -> str:
    """Give the address by which the host speaks to others, empty where it has none; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # a documentation address (RFC 5737)
        except OSError:
            return ""
        address = probe.getsockname()[0]
        return "" if address.startswith("127.") else address
