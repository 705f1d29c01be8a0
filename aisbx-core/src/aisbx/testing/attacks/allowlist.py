"""Attacks on an allow-list: `net:allowlist`. One server of the host's loopback may be reached, another is the target.

Each goes there by itself first, which works unconfined. Inside, each sees that the server which a rule names is
reached through the proxy: where it is not, nothing was proved.
"""

import socket
from collections.abc import Mapping

from aisbx.testing import listeners
from aisbx.testing.attack import Attack
from aisbx.testing.attacks.network import interfaces, noticed, only_loopback
from aisbx.testing.scene import Scene
from aisbx.testing.specs import with_allowlist
from aisbx.types import PROXY_PORT

_LOOPBACK = "127.0.0.1"

_THROUGH = """
    def say(place, *messages):
        with socket.create_connection(place, 5) as client:
            answer = b""
            for message in messages:
                client.sendall(message)
                answer = client.recv(4096)
            return answer

    def ask(*messages):
        # What is refused, or closed while it is asked for, is held.
        try:
            return say(("127.0.0.1", facts["proxy"]), *messages)
        except OSError:
            return b""

    def tunnel(host, port):
        place = b"%s:%d" % (host, port)
        return b"CONNECT " + place + b" HTTP/1.1\\r\\nHost: " + place + b"\\r\\n\\r\\n"

    def reach_what_is_allowed():
        answer = ask(tunnel(b"127.0.0.1", facts["allowed"]))
        if b" 200 " not in answer:
            raise RuntimeError("what a rule names is not reached: " + repr(answer))

    target, word = facts["port"], token.encode()
"""


def _servers(scene: Scene) -> Mapping[str, object]:
    """Listen for what is allowed and for the target, by its address."""
    allowed, port = listeners.tcp(scene, socket.AF_INET), listeners.tcp(scene, socket.AF_INET)
    scene.rules = (f"{_LOOPBACK}:{allowed}",)
    return {"proxy": PROXY_PORT, "allowed": allowed, "port": port}


def _datagrams(scene: Scene) -> Mapping[str, object]:
    return {**_servers(scene), "port": listeners.udp(scene)}


def _by_name(scene: Scene) -> Mapping[str, object]:
    """Let a rule name the target, by a name that leads to this host."""
    facts = _servers(scene)
    scene.rules = (*scene.rules, f"localhost:{facts['port']}")
    return facts


def _by_interfaces(scene: Scene) -> Mapping[str, object]:
    return {**_servers(scene), **interfaces(scene)}


ATTACKS = (
    Attack(
        id="net:allowlist/tcp",
        sentence="connect to a TCP server that no rule names, without the proxy",
        stage=_servers,
        shape=with_allowlist,
        evidence=noticed,
        program=_THROUGH
        + """
    tries(say, ("127.0.0.1", target), word)
    reach_what_is_allowed()
""",
    ),
    Attack(
        id="net:allowlist/udp",
        sentence="send a datagram past the proxy",
        stage=_datagrams,
        shape=with_allowlist,
        evidence=noticed,
        program=_THROUGH
        + """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        tries(client.sendto, word, ("127.0.0.1", target))
        time.sleep(0.2)
    reach_what_is_allowed()
""",
    ),
    Attack(
        id="net:allowlist/proxied",
        sentence="reach a server that no rule names through the proxy, by CONNECT, HTTP, SOCKS5 and odd spellings",
        stage=_servers,
        shape=with_allowlist,
        evidence=noticed,
        program=_THROUGH
        + """
    tries(say, ("127.0.0.1", target), word)
    reach_what_is_allowed()
    for host in (b"127.0.0.1", b"localhost", b"127.1", b"2130706433", b"0x7f.0.0.1", b"0177.0.0.1", b"[::ffff:7f00:1]"):
        ask(tunnel(host, target), word)
        ask(b"GET http://%s:%d/%s HTTP/1.1\\r\\nHost: %s:%d\\r\\n\\r\\n" % (host, target, word, host, target))
    allowed = b"127.0.0.1:%d" % facts["allowed"]
    ask(b"CONNECT %s HTTP/1.1\\r\\nHost: 127.0.0.1:%d\\r\\n\\r\\n" % (allowed, target), word)
    ask(b"GET http://%s/ HTTP/1.1\\r\\nHost: 127.0.0.1:%d\\r\\n\\r\\n" % (allowed, target), word)
    port = struct.pack(">H", target)
    for host in (b"\\1" + socket.inet_aton("127.0.0.1"), b"\\3\\x09localhost", b"\\3\\x09127.0.0.1"):
        ask(b"\\5\\1\\0", b"\\5\\1\\0" + host + port, word)
""",
    ),
    Attack(
        id="net:allowlist/name",
        sentence="reach a server of the host by a name that a rule allows and that leads to it",
        stage=_by_name,
        shape=with_allowlist,
        evidence=noticed,
        program=_THROUGH
        + """
    tries(say, ("localhost", target), word)
    reach_what_is_allowed()
    ask(tunnel(b"localhost", target), word)
    ask(b"GET http://localhost:%d/%s HTTP/1.1\\r\\nHost: localhost:%d\\r\\n\\r\\n" % (target, word, target))
    ask(b"\\5\\1\\0", b"\\5\\1\\0\\3\\x09localhost" + struct.pack(">H", target), word)
""",
    ),
    Attack(
        id="net:allowlist/interfaces",
        sentence="find an interface of the host beside an allow-list",
        stage=_by_interfaces,
        shape=with_allowlist,
        unprovable=only_loopback,
        program=_THROUGH
        + """
    # Not if_nameindex(3): it asks by a netlink socket, which a filter may hold back where a namespace does not.
    with open("/proc/net/dev") as file:
        found = {line.partition(":")[0].strip() for line in file} & set(facts["interfaces"])
    if found:
        breach(", ".join(found))
    reach_what_is_allowed()
""",
    ),
)
