"""Have a block of addresses lead to a network itself: a local route on its loopback (ip-route(8), type `local`).

That takes the rights of who made the network, which are those of the user namespace that it belongs to; a sandbox is
in one below, and can neither see nor change them.
"""

import fcntl
import os
import select
import socket
import struct

from aisbx_linux import syscalls
from aisbx_linux.lasting.identity import NAMESPACES

_NS_GET_USERNS = 0xB701  # ioctl_ns(2)
_RTM_NEWROUTE = 24
_REQUEST_ACK_CREATE = 0x1 | 0x4 | 0x400  # NLM_F_REQUEST, NLM_F_ACK, NLM_F_CREATE (netlink(7))
_TABLE_LOCAL, _PROTOCOL_BOOT, _SCOPE_HOST, _TYPE_LOCAL = 255, 3, 254, 2  # rtnetlink(7)
_DESTINATION, _OUT = 1, 4
_LOOPBACK = 1
"""The index that the loopback of each network has."""
_HEAD = struct.Struct("=IHHII")


def own(process: int, first: int) -> None:
    """Join the network of a process, with all rights on it; OSError where that is refused, or the process has ended.

    `process` is a pidfd of it, `first` its number.
    """
    network = os.open(f"/proc/{first}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    if select.select([process], [], [], 0)[0]:  # or else the number may be somebody else's by now
        raise OSError("the sandbox ended before its network could be joined")
    owner = fcntl.ioctl(network, _NS_GET_USERNS)
    try:
        if os.fstat(owner).st_ino != os.stat("/proc/self/ns/user").st_ino:
            _join(owner, NAMESPACES["user"])
        _join(network, NAMESPACES["net"])
    finally:
        os.close(owner)
        os.close(network)


def to_itself(block: str) -> None:
    """Route an IPv4 block (`ADDRESS/BITS`) to this process's own network; OSError where the kernel refuses."""
    address, _, bits = block.partition("/")
    # struct rtmsg, then attributes
    body = struct.pack(
        "=8BI", socket.AF_INET, int(bits), 0, 0, _TABLE_LOCAL, _PROTOCOL_BOOT, _SCOPE_HOST, _TYPE_LOCAL, 0
    )
    body += _attribute(_DESTINATION, socket.inet_aton(address)) + _attribute(_OUT, struct.pack("=I", _LOOPBACK))
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0) as kernel:
        kernel.sendto(_HEAD.pack(_HEAD.size + len(body), _RTM_NEWROUTE, _REQUEST_ACK_CREATE, 1, 0) + body, (0, 0))
        (number,) = struct.unpack_from("=i", kernel.recv(1 << 16), _HEAD.size)  # struct nlmsgerr
    if number:
        raise OSError(-number, f"the route for {block}: {os.strerror(-number)}")


def _join(namespace: int, kind: int) -> None:
    if syscalls.call("setns", namespace, kind) != 0:
        raise OSError("joining the sandbox's network with rights on it was refused")


def _attribute(kind: int, data: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(data), kind) + data
