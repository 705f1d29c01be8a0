"""Who has served commands of a sandbox stays for the next connection that brings some: its helper is there already.

Most have one connection for all commands; the command line has one for each. What answers a new one hands it over,
by a socket of the agent's directory that bears the sandbox's id, to whoever stays for that, if somebody does.
"""

import contextlib
import json
import os
import socket
from select import POLLIN, poll
from typing import Any

from aisbx_driver_lima.guest import frames
from aisbx_driver_lima.guest.frames import Channel, ClosedError

PLACE = "staying"
"""The directory of these sockets, below the agent's own."""
_SECONDS = 60.0
"""How long somebody stays."""
_PATIENCE = 2.0
_TAKEN = b"."


def hand_over(place: str, name: str, channel: Channel, question: dict[str, Any]) -> bool:
    """Have somebody else answer this question, and serve its connection from now on; False where nobody stays."""
    path = f"{place}/{PLACE}/{name}"
    with socket.socket(socket.AF_UNIX) as messenger:
        messenger.settimeout(_PATIENCE)
        try:
            messenger.connect(path)
        except FileNotFoundError:
            return False
        except OSError:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)  # of one that was killed
            return False
        try:
            socket.send_fds(messenger, [_TAKEN], [channel.fileno()])
            teller = Channel(messenger)
            teller.send(frames.QUESTION, json.dumps(question).encode())
            teller.send(frames.DATA, channel.rest())
            teller.receive(_PATIENCE)
            teller.send(frames.GO)  # without it nobody serves it there: it must not be served twice
        except (OSError, ClosedError):
            return False
        return True


def dismiss(place: str, name: str) -> None:
    """Have nobody stay for a sandbox any more."""
    with socket.socket(socket.AF_UNIX) as messenger, contextlib.suppress(OSError):
        messenger.connect(f"{place}/{PLACE}/{name}")


def stay(place: str, name: str) -> tuple[Channel, dict[str, Any]] | None:
    """Wait for a connection, and give it with its question; None where somebody else stays, or none has come."""
    path = f"{place}/{PLACE}/{name}"
    with socket.socket(socket.AF_UNIX) as listener:
        try:
            listener.bind(path)
        except OSError:
            return None
        try:
            listener.listen(1)
            waiting = poll()
            waiting.register(listener, POLLIN)
            if not waiting.poll(_SECONDS * 1000):
                return None
            messenger, _ = listener.accept()
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)  # from now on there is nobody
    with messenger:
        return _taken(messenger)


def _taken(messenger: socket.socket) -> tuple[Channel, dict[str, Any]] | None:
    messenger.settimeout(_PATIENCE)
    try:
        _, descriptors, _, _ = socket.recv_fds(messenger, 1, 1)
        connection = socket.socket(fileno=descriptors[0])
        teller = Channel(messenger)
    except (OSError, IndexError):
        return None
    try:
        (_, question), (_, rest) = teller.receive(_PATIENCE), teller.receive(_PATIENCE)
        teller.send(frames.PROMISE)
        teller.receive(_PATIENCE)
    except ClosedError:
        connection.close()
        return None
    return Channel(connection, rest), json.loads(question)
