"""Tell systemd how it stands (sd_notify(3)); nothing happens where nobody asked."""

import os
import socket
from contextlib import suppress


def notify(state: str) -> None:
    """Send one state; who does not listen misses it."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as one:
        one.sendto(state.encode(), f"\0{address[1:]}" if address.startswith("@") else address)
