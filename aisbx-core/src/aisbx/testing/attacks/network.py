"""Attacks on the network: `net:deny` and `net:host-sockets`. Nothing leaves the host's loopback."""

import os
import socket
from collections.abc import Callable, Mapping

from aisbx.testing import listeners
from aisbx.testing.attack import Attack
from aisbx.testing.premises import IPPROTO_MPTCP, first_of, needs_root, no_ipv6, no_mptcp, no_socket, unfiltered
from aisbx.testing.scene import Scene
from aisbx.types import ExitStatus

_CONNECT = """
    with socket.socket(socket.AddressFamily[facts["family"]], socket.SOCK_STREAM, facts["protocol"]) as client:
        client.settimeout(2)
        client.connect((facts["host"], facts["port"]))
        client.sendall(token.encode())
        time.sleep(0.2)
"""

_CONNECT_UNIX = """
    kind = socket.SOCK_DGRAM if facts["datagrams"] else socket.SOCK_STREAM
    with socket.socket(socket.AF_UNIX, kind) as client:
        client.settimeout(2)
        client.connect(facts["address"])
        client.sendall(token.encode())
        time.sleep(0.2)
"""


def noticed(scene: Scene, _status: ExitStatus) -> str:
    """Give what a server of the host's has noticed."""
    return scene.seen[0] if scene.seen else ""


def _tcp(family: socket.AddressFamily, host: str, protocol: int = 0) -> Callable[[Scene], Mapping[str, object]]:
    def stage(scene: Scene) -> Mapping[str, object]:
        port = listeners.tcp(scene, family)
        return {"family": family.name, "protocol": protocol, "host": host, "port": port}

    return stage


def _udp(scene: Scene) -> Mapping[str, object]:
    return {"port": listeners.udp(scene)}


def _unix(place: Callable[[Scene], str], *, datagrams: bool = False) -> Callable[[Scene], Mapping[str, object]]:
    def stage(scene: Scene) -> Mapping[str, object]:
        kind = socket.SOCK_DGRAM if datagrams else socket.SOCK_STREAM
        return {"address": listeners.unix(scene, place(scene), kind), "datagrams": datagrams}

    return stage


def _run_directory() -> str:
    """Give a directory in /run that this user may write: /run itself, the session's, or the lock directory."""
    places = ("/run", f"/run/user/{os.geteuid()}", "/run/lock")
    return next((place for place in places if os.access(place, os.W_OK)), "")


def _no_run_directory() -> str:
    return "" if _run_directory() else "this user can write nowhere in /run"


def only_loopback() -> str:
    """Say so if this host has no other interface."""
    others = [name for _, name in socket.if_nameindex() if name != "lo"]
    return "" if others else "this host has no interface but loopback"


def interfaces(_scene: Scene) -> Mapping[str, object]:
    """Give the names of this host's interfaces but its loopback."""
    return {"interfaces": [name for _, name in socket.if_nameindex() if name != "lo"]}


ATTACKS = (
    Attack(
        id="net:deny/tcp",
        sentence="connect to a TCP server on the host's loopback",
        stage=_tcp(socket.AF_INET, "127.0.0.1"),
        evidence=noticed,
        program=_CONNECT,
    ),
    Attack(
        id="net:deny/tcp6",
        sentence="connect to a TCP server on the host's loopback over IPv6",
        stage=_tcp(socket.AF_INET6, "::1"),
        evidence=noticed,
        unprovable=no_ipv6,
        program=_CONNECT,
    ),
    Attack(
        id="net:deny/mptcp",
        sentence="connect to the host's loopback over MPTCP",
        stage=_tcp(socket.AF_INET, "127.0.0.1", IPPROTO_MPTCP),
        evidence=noticed,
        unprovable=no_mptcp,
        program=_CONNECT,
    ),
    Attack(
        id="net:deny/udp",
        sentence="send a datagram to the host's loopback",
        stage=_udp,
        evidence=noticed,
        program="""
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.sendto(token.encode(), ("127.0.0.1", facts["port"]))
                time.sleep(0.2)
        """,
    ),
    Attack(
        id="net:deny/interfaces",
        sentence="find an interface of the host",
        stage=interfaces,
        unprovable=only_loopback,
        program="""
            found = {name for _, name in socket.if_nameindex()} & set(facts["interfaces"])
            if found:
                breach(", ".join(found))
        """,
    ),
    Attack(
        id="net:deny/packet",
        sentence="open a packet socket on an interface that carries the host's frames",
        stage=interfaces,
        unprovable=first_of(needs_root, unfiltered, only_loopback),
        program="""
            with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as raw:
                raw.bind((facts["interfaces"][0], 0))
                breach("bound to " + facts["interfaces"][0])
        """,
    ),
    Attack(
        id="net:deny/vsock",
        sentence="open a vsock, which a network namespace does not hold back",
        unprovable=first_of(no_socket(socket.AF_VSOCK), unfiltered),
        program="""
            socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM).close()
            breach("opened a vsock")
        """,
    ),
    Attack(
        id="net:host-sockets/abstract",
        sentence="connect to an abstract socket of the host",
        stage=_unix(lambda scene: f"\0{scene.token}"),
        evidence=noticed,
        program=_CONNECT_UNIX,
    ),
    Attack(
        id="net:host-sockets/abstract-datagram",
        sentence="send to an abstract datagram socket of the host",
        stage=_unix(lambda scene: f"\0{scene.token}", datagrams=True),
        evidence=noticed,
        program=_CONNECT_UNIX,
    ),
    Attack(
        id="net:host-sockets/tmp",
        sentence="connect to a socket in the host's /tmp",
        stage=_unix(lambda scene: f"/tmp/{scene.token}"),
        evidence=noticed,
        program=_CONNECT_UNIX,
    ),
    Attack(
        id="net:host-sockets/run",
        sentence="connect to a socket in the host's /run",
        stage=_unix(lambda scene: f"{_run_directory() or scene.root}/{scene.token}"),
        evidence=noticed,
        unprovable=_no_run_directory,
        program=_CONNECT_UNIX,
    ),
    Attack(
        id="net:host-sockets/home",
        sentence="connect to an agent's socket in the home",
        stage=_unix(lambda scene: os.path.join(scene.home, "agent")),
        evidence=noticed,
        program=_CONNECT_UNIX,
    ),
    Attack(
        id="net:host-sockets/workspace",
        sentence="connect to a server of the host whose socket lies in the workspace",
        stage=_unix(lambda scene: os.path.join(scene.workspace, "server")),
        evidence=noticed,
        program=_CONNECT_UNIX,
    ),
)
