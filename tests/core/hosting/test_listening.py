"""What a host listens on."""

import socket

from aisbx.hosting import listening


def test_an_answer_in_two_parts_does_not_wait_for_the_clients_acknowledgement() -> None:
    with listening.bind("127.0.0.1", 0, near=True) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
