"""Which descriptors can be read from: by poll(2), for select(2) takes none above 1023."""

import math
import select
from collections.abc import Iterable


def readable(descriptors: Iterable[int], timeout: float | None = None) -> list[int]:
    """Give those that can be read from, or have ended, waiting `timeout` seconds at most, without one for ever."""
    waiting = select.poll()
    for descriptor in descriptors:
        waiting.register(descriptor, select.POLLIN)
    found = waiting.poll(None if timeout is None else math.ceil(timeout * 1000))
    return [descriptor for descriptor, _ in found]
