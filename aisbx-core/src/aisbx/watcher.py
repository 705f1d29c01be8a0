"""The process that watches a sandbox, and writes down what it may not do: it outlives who started it.

It reads its job from stdin, marshalled, and writes to stdout what kept it from beginning, or None. While it lives it
holds flock(2) on `watcher` in the sandbox's directory, so that there is one and whoever looks knows.
"""

import sys

if __name__ == "__main__":  # started as a file, without site: find the package that this file is in
    sys.path.insert(0, __file__.rpartition("/")[0].rpartition("/")[0])

from aisbx import detached

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypedDict

    from aisbx.types import AuditPlace, Event, WatchingJob, WatchingModule
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


def kept(place: str) -> bool:
    """Tell whether the sandbox in a directory is watched."""
    return detached.held(f"{place}/{LOCK}")


def watch(job: "Job") -> None:
    """Watch a sandbox until its end."""
    if detached.hold(f"{job['sandbox']}/{LOCK}") < 0:
        detached.begun()
        return
    work = job["work"]
    if work["root"] not in sys.path:
        sys.path.insert(0, work["root"])
    module: WatchingModule = __import__(work["module"], fromlist=("prepare",))
    recorder = _recorder(job)
    watching = module.prepare(work["data"])
    detached.begun()
    try:
        watching.work(recorder.take, recorder.tick)
    finally:
        recorder.close()


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
    detached.main(watch, str)
