"""The process that does what a profile wants done about violations: it follows the audit log for one sandbox.

It reads its job from stdin, marshalled, and writes to stdout what kept it from beginning, or None. While it lives it
holds flock(2) on `reactor` in the sandbox's directory. Whatever refuses something writes a record; that is all this
process needs to see, so nothing that is refused waits for it. In `reacted` it keeps how far it has got: should it be
killed, the next one goes on from there.
"""

import sys

if __name__ == "__main__":  # started as a file, without site: find the package that this file is in
    sys.path.insert(0, __file__.rpartition("/")[0].rpartition("/")[0])

from aisbx import detached

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypedDict

    from aisbx.types import AuditPlace, KeepingJob

    class Job(TypedDict):
        """All that a reactor needs to know."""

        sandbox: str
        """The sandbox's directory."""
        name: str
        principal: str
        audit: AuditPlace
        reserve: str
        detections: list[dict[str, object]]
        reactions: list[dict[str, object]]
        alerts: tuple[str, bytes] | None
        """Where to, and the secret by which they are signed."""
        driver: tuple[str, dict[str, object]]
        """Its name and settings."""
        plugins: tuple[list[str] | None, list[str]]
        """Which there are: `allow`, `disable`."""
        sinks: dict[str, dict[str, object]]
        """Who hears of what is written, with the settings of each."""
        work: KeepingJob
        """How it is ended."""


LOCK, REACTED = "reactor", "reacted"
HOST = "reactor"
"""What the audit log says of whoever did something about a violation."""


def kept(place: str) -> bool:
    """Tell whether the sandbox in a directory has its reactor."""
    return detached.held(f"{place}/{LOCK}")


def react(job: "Job") -> None:
    """React until the sandbox's end."""
    if detached.hold(f"{job['sandbox']}/{LOCK}") < 0:
        detached.begun()
        return
    import site

    site.main()  # plugins are where packages are installed
    from aisbx.violations.reacting import Reacting

    reacting = Reacting(job)
    detached.begun()
    reacting.work()


if __name__ == "__main__":
    detached.main(react, str)
