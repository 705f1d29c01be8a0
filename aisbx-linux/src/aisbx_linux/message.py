"""What a helper and its client say to each other: a length, so many bytes, and descriptors. Builtin modules only."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
else:
    import _socket  # the C module: `socket` costs milliseconds for its enumerations

SOCKET = 3
"""The helper's end of the socket, in the helper."""
MOST = 200
"""Descriptors in one message; the kernel takes 253 (SCM_MAX_FD, unix(7))."""
_LENGTH, _DESCRIPTOR = 4, 4
_SPACE = _socket.CMSG_SPACE(_DESCRIPTOR * MOST)


def send(to: "_socket.socket", data: bytes, descriptors: "tuple[int, ...]" = ()) -> None:
    """Send a message with up to `MOST` descriptors; OSError where nobody is there to take it."""
    rights = b"".join(descriptor.to_bytes(_DESCRIPTOR, "little") for descriptor in descriptors)
    message = len(data).to_bytes(_LENGTH, "little") + data
    ancillary = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)] if rights else []
    sent = to.sendmsg([message], ancillary, _socket.MSG_NOSIGNAL)
    if sent < len(message):
        to.sendall(message[sent:], _socket.MSG_NOSIGNAL)


def receive(source: "_socket.socket", size: int = 1 << 16) -> "tuple[bytes, list[int]]":
    """Give a message and the descriptors that came with it, closed on exec; no bytes when the other has gone.

    `size` (bytes) is what is asked for at first; a longer one takes more calls.
    """
    try:
        data, ancillary, _, _ = source.recvmsg(size, _SPACE, _socket.MSG_CMSG_CLOEXEC)
    except ConnectionResetError:
        return b"", []
    descriptors: list[int] = []
    for level, kind, rights in ancillary:
        if (level, kind) == (_socket.SOL_SOCKET, _socket.SCM_RIGHTS):
            descriptors += memoryview(rights[: len(rights) // _DESCRIPTOR * _DESCRIPTOR]).cast("i")
    while data and len(data) - _LENGTH < int.from_bytes(data[:_LENGTH], "little"):
        more = source.recv(1 << 20)
        if not more:
            return b"", descriptors
        data += more
    return data[_LENGTH:], descriptors
