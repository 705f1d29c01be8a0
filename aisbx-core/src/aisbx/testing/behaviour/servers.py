"""Servers inside and their clients: what confines the network must leave the sandbox its own loopback."""

from aisbx.testing.behaviour.base import Base
from aisbx.testing.premises import no_ipv6
from aisbx.testing.scene import Scene
from aisbx.types import Driver

_SERVERS = """
import asyncio, socket, sys, tempfile

async def answer(reader, writer):
    writer.write(await reader.readline())
    await writer.drain()
    writer.close()

async def ask(name, reader, writer):
    writer.write(name.encode() + b"\\n")
    assert await reader.readline() == name.encode() + b"\\n"
    writer.close()
    print(name)

async def main():
    for name, host in (("IPv4", "127.0.0.1"), ("IPv6", "::1")):
        if name in sys.argv[1:]:
            async with await asyncio.start_server(answer, host, 0) as server:
                await ask(name, *await asyncio.open_connection(host, server.sockets[0].getsockname()[1]))
    with tempfile.TemporaryDirectory() as place:
        async with await asyncio.start_unix_server(answer, place + "/socket"):
            await ask("Unix", *await asyncio.open_unix_connection(place + "/socket"))
    child = await asyncio.create_subprocess_exec("/bin/cat", stdin=-1, stdout=-1)
    assert (await child.communicate(b"through"))[0] == b"through"
    print("child")

asyncio.run(main())
one, other = socket.socketpair()
one.sendall(b"pair")
assert other.recv(9) == b"pair"
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as box, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as post:
    box.bind(("127.0.0.1", 0))
    post.sendto(b"letter", box.getsockname())
    assert box.recv(9) == b"letter"
print("pair")
"""


class Servers(Base, contract=True):
    """asyncio, which takes most of what there is: event polling, wake-up sockets, child watchers."""

    def test_servers_and_their_clients_work_inside(self, driver: Driver, scene: Scene) -> None:
        """Over IPv4, IPv6 where the host has it, Unix sockets, a pair of sockets, datagrams, and pipes to a child."""
        families = ["IPv4", *([] if no_ipv6() else ["IPv6"])]
        for status in self.run(driver, scene, _SERVERS, *families):
            assert status.code == 0, status.stderr.data.decode()
            assert status.stdout.data.decode().split() == [*families, "Unix", "child", "pair"]
