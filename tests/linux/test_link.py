"""Two connected sockets: an end that both sides tell of at once is one end."""

import selectors
import socket

from aisbx_linux.link import Link


def test_an_event_that_was_seen_before_the_end_is_none_after_it() -> None:
    with selectors.DefaultSelector() as selector:
        inside, client = socket.socketpair()
        server, outside = socket.socketpair()
        link = Link(selector, client, server)
        inside.close()
        outside.close()
        seen = selector.select(0)
        assert len(seen) == 2
        assert [link.serve(key.fileobj, ready) for key, ready in seen][-1] is False
        assert not link.serve(client, selectors.EVENT_READ)
        link.close()
        assert not selector.get_map()
