"""Which addresses a name may lead to. What is not the public internet has to be named itself."""

import socket
from ipaddress import IPv4Address, IPv6Network, ip_address, ip_network

from aisbx_egress.names import Address, plain

# IANA's special-purpose registries (RFC 6890 and its updates): (kind, blocks). The first that fits is told.
_SPECIAL = tuple(
    (kind, tuple(ip_network(block) for block in blocks.split()))
    for kind, blocks in (
        ("unspecified", "0.0.0.0/8 ::/128"),
        ("loopback", "127.0.0.0/8 ::1/128"),
        # Where clouds keep credentials: 169.254.169.254 (most), and those that are no link-local addresses.
        (
            "metadata",
            "169.254.169.254/32 169.254.170.0/24 fd00:ec2::/32 100.100.100.200/32 168.63.129.16/32 192.0.0.192/32",
        ),
        ("link-local", "169.254.0.0/16 fe80::/10"),
        ("private", "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 fc00::/7 fec0::/10"),
        ("multicast", "224.0.0.0/4 ff00::/8"),
        ("reserved", "240.0.0.0/4 192.0.0.0/24 198.18.0.0/15 192.88.99.0/24"),
        ("documentation", "192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 2001:db8::/32 3fff::/20"),
        # An IPv4 address hides in each of these.
        ("translated", "64:ff9b::/96 64:ff9b:1::/48 2002::/16 2001::/32 ::/96 ::ffff:0:0:0/96"),
        ("reserved", "100::/64 2001::/23 5f00::/16"),
    )
)
_HOSTS, _NAMES = "/etc/hosts", 64
_UNICAST = IPv6Network("2000::/3")


def special(found: Address) -> str:
    """Give what kind of address it is that has to be named: `loopback`, `private`, …; empty for the internet."""
    found = plain(found)
    for kind, blocks in _SPECIAL:
        if any(found in block for block in blocks):
            return kind
    if not isinstance(found, IPv4Address) and found not in _UNICAST:
        return "reserved"
    return "own" if own(found) else ""


def own(found: Address) -> bool:
    """Tell whether it is an address of this host: only those can be bound (bind(2))."""
    family = socket.AF_INET if isinstance(found, IPv4Address) else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as attempt:
            attempt.bind((str(found), 0))
    except OSError:
        return False
    return True


def of_hosts(host: str, path: str = _HOSTS) -> list[Address]:
    """Give the addresses that hosts(5) has for a name; a resolver asked for `name.` does not look there."""
    found: list[Address] = []
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                address, *named = line.partition("#")[0].split()[: _NAMES + 1] or [""]
                if host in (name.lower() for name in named):
                    found.append(parsed(address))
    except (OSError, ValueError):
        return []  # the resolver says what is wrong with it
    return list(dict.fromkeys(found))


def parsed(text: str) -> Address:
    """Give the address that the resolver wrote; a scope (`fe80::1%eth0`) is dropped, its block is refused anyway."""
    return plain(ip_address(text.partition("%")[0]))
