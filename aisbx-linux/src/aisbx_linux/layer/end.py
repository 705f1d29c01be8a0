"""What becomes of the layer of a run when the run has ended. On the way to a run: builtin modules only."""

import posix

from aisbx_linux.layer.place import drop, written

_KNOWN = "known"
"""In a layer that somebody has been told of."""


class RunLayer:
    """The layer of one run, held (flock(2)) as long as the launcher is there: one that nobody holds was left."""

    __slots__ = ("_descriptor", "_place")

    def __init__(self, place: str, descriptor: int) -> None:
        """Hold the layer `place`, which `descriptor` is open on and goes with this."""
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._place = place
        self._descriptor = descriptor

    def settle(self) -> "list[str]":
        """Apply what a guarded workspace applies, and remove the layer if nothing is left in it; gives what to say."""
        return self._end() + cut_off(self._place.rpartition("/")[0])

    def _end(self) -> "list[str]":
        try:
            if not written(self._place):
                drop(self._place)
                return []
            from aisbx_linux.layer.layers import finish

            lines = finish(self._place)
            if lines:
                _known(self._place)
            return lines  # noqa: TRY300 - what follows is for what is wrong
        except OSError as error:
            return [f"cannot look through the layer {self._place}: {error.strerror or error}: it is kept"]
        finally:
            posix.close(self._descriptor)


def cut_off(layers: str) -> "list[str]":
    """Give a line for each layer of a run that came to no end, once: its launcher was killed, or the machine stopped.

    One that such a run had not written to is removed.
    """
    import fcntl

    lines: list[str] = []
    for run in sorted(posix.listdir(layers)):
        place = f"{layers}/{run}"
        try:
            descriptor = posix.open(place, posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC)
        except FileNotFoundError:
            continue  # its own run has removed it
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _KNOWN in posix.listdir(descriptor):
                continue
            if not written(place):
                drop(place)
                continue
            _known(place)
            lines.append(f"the run {run} was cut off: what it changed is kept: aisbx diff {run}")
        except OSError:
            continue  # it goes on, or has ended just now
        finally:
            posix.close(descriptor)
    return lines


def _known(place: str) -> None:
    posix.close(posix.open(f"{place}/{_KNOWN}", posix.O_WRONLY | posix.O_CREAT | posix.O_CLOEXEC, 0o600))
