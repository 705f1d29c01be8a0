"""The process that observes a sandbox from which a profile is learned: it outlives nothing but the sandbox's command.

It reads its job from stdin, marshalled, and writes to stdout what kept it from beginning, or None (`aisbx.detached`).
"""

import sys

if __name__ == "__main__":  # started as a file, without site: find the package that this file is in
    sys.path.insert(0, __file__.rpartition("/")[0].rpartition("/")[0])

from aisbx import detached

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aisbx.types import ObservingModule, WatchingJob


def observe(work: "WatchingJob") -> None:
    """Observe a sandbox until its end."""
    module: ObservingModule = detached.module(work["root"], work["module"])
    observation = module.prepare(work["data"])
    detached.begun()
    observation.work()


if __name__ == "__main__":
    detached.main(observe, str)
