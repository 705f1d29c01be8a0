"""What reaches out of the guest, tried by ssh, outside of any sandbox: as whoever has got out of one."""

import shlex
import socket
from collections.abc import Iterator

import pytest
from aisbx.testing.scene import Scene
from aisbx.types import Driver

from tests.driver_lima.guest import inside
from tests.driver_lima.test_machine import run

DATAGRAMS = """
import socket, sys
# A query for the name of the root, as resolvers send it (RFC 1035, 4.1).
query = bytes.fromhex("1234 0100 0001 0000 0000 0000 00 0002 0001")
for family, place in ((socket.AF_INET, ("192.168.5.2", int(sys.argv[1]))), (socket.AF_INET, ("192.168.5.3", 53)),
                      (socket.AF_INET6, ("fec0::3", 53))):
    with socket.socket(family, socket.SOCK_DGRAM) as asked:
        asked.settimeout(2)
        try:
            asked.sendto(query, place)
            print("answered", asked.recv(512))
        except OSError as error:
            print(type(error).__name__)
"""


@pytest.fixture
def scene() -> Iterator[Scene]:
    with Scene() as scene:
        yield scene


def test_the_guest_itself_reaches_no_server_of_the_host(lima: Driver, scene: Scene) -> None:
    assert run(lima, scene, "/bin/true").code == 0
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        probe = f'import socket; socket.create_connection(("192.168.5.2", {port}), 3)'
        done = inside(lima, f"python3 -c '{probe}'")
    assert done.returncode != 0
    assert b"TimeoutError" in done.stderr or b"unreachable" in done.stderr or b"refused" in done.stderr, done.stderr


def test_no_datagram_of_the_guest_arrives_and_no_resolver_answers_it(lima: Driver, scene: Scene) -> None:
    assert run(lima, scene, "/bin/true").code == 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as heard:
        heard.bind(("127.0.0.1", 0))
        done = inside(lima, f"python3 -c {shlex.quote(DATAGRAMS)} {heard.getsockname()[1]}")
        heard.settimeout(1)
        with pytest.raises(TimeoutError):
            heard.recv(512)
    assert len(done.stdout.split()) == 3, done.stderr
    assert b"answered" not in done.stdout, done.stdout
