"""The process that watches a sandbox, and writes down what it may not do: it outlives who started it.

Where there is a compiled program that watches, this is its recorder, which it starts when there is something to write.

It reads its job from stdin, marshalled, and writes to stdout what kept it from beginning, or None. While it lives it
holds flock(2) on `watcher` in the sandbox's directory, so that there is one and whoever looks knows.
"""

import sys

if __name__ == "__main__":  # started as a file, without site: find the package that this file is in
    sys.path.insert(0, __file__.rpartition("/")[0].rpartition("/")[0])

from aisbx import detached
from aisbx.whose import Whose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypedDict

    from aisbx.types import AuditPlace, Event, Watching, WatchingJob, WatchingModule
    from aisbx.violations.recorder import Recorder

    class Sinks(TypedDict):
        """The sinks that hear of each, with the settings of each, and what restricts plugins."""

        allow: list[str] | None
        disable: list[str]
        settings: dict[str, dict[str, object]]

    class Job(TypedDict):
        """All that a watcher needs to know."""

        sandbox: str
        """The sandbox's directory."""
        name: str
        principal: str
        audit: AuditPlace
        reserve: str
        sinks: Sinks | None
        work: WatchingJob


LOCK = "watcher"
RECORDER = "recorder"
"""The argument with which the compiled program starts it, to be told over descriptor 3."""
_TOLD, _OPENED = 3, 4


def kept(place: str) -> bool:
    """Tell whether the sandbox in a directory is watched."""
    return detached.held(f"{place}/{LOCK}")


def watch(job: "Job") -> None:
    """Watch a sandbox until its end."""
    if detached.hold(f"{job['sandbox']}/{LOCK}") < 0:
        detached.begun()
        return
    recorder = _recorder(job)
    watching = _module(job).prepare(job["work"]["data"])
    detached.begun()
    _write(watching, recorder, Whose(job["sandbox"], job["principal"]))


def record() -> None:
    """Write down what the compiled program tells, until it has nothing more to tell."""
    import marshal

    with open(0, "rb", closefd=False) as stream:
        job: Job = marshal.load(stream)  # noqa: S302 - from the program that started this process
    recorder = _recorder(job)
    whose = Whose(job["sandbox"], job["principal"], _OPENED)
    _write(_module(job).told(job["work"]["data"], _TOLD), recorder, whose)


def _write(watching: "Watching", recorder: "Recorder", whose: Whose) -> None:
    def take(told: dict[str, object]) -> str:
        recorder.principal = whose.now()
        return recorder.take(told)

    try:
        watching.work(take, recorder.tick)
    finally:
        recorder.close()


def _module(job: "Job") -> "WatchingModule":
    return detached.module(job["work"]["root"], job["work"]["module"])


def _recorder(job: "Job") -> "Recorder":
    from aisbx.violations.recorder import Recorder

    recorder = Recorder(job["audit"], job["reserve"], job["name"], job["principal"])
    if job["sinks"] is not None:
        recorder.tell = _telling(job["sinks"], recorder)
    return recorder


def _telling(sinks: "Sinks", recorder: "Recorder") -> "Callable[[Event], None]":
    """Give what hands events to sinks; an AisbxError says which cannot be had."""
    import site

    site.main()  # plugins are where packages are installed
    from aisbx.egress.telling import Telling
    from aisbx.plugins import Plugins

    plugins = Plugins(sinks["allow"], sinks["disable"])
    loaded = {name: plugins.get("sink", name, table) for name, table in sinks["settings"].items()}
    return Telling(loaded, recorder.sink_failed).tell


if __name__ == "__main__":
    if sys.argv[1:] == [RECORDER]:
        record()
    else:
        detached.main(watch, str)
