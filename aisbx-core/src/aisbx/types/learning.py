"""A sandbox that is observed, so that a profile can be learned from what its command does."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from aisbx.types.background import WatchingJob
from aisbx.types.plugin import Sandbox


class Observing(Protocol):
    """The observing of one sandbox, begun."""

    def work(self) -> None:
        """Observe until it has ended."""
        ...


class ObservingModule(Protocol):
    """The module that the job of an `ObservedSandbox` names. It must import in an interpreter without site."""

    def prepare(self, data: Mapping[str, object]) -> Observing:
        """Have commands observed from now on; OSError where the sandbox is gone."""
        ...


@runtime_checkable
class ObservedSandbox(Sandbox, Protocol):
    """A sandbox whose commands can be observed, where it was made so (`SandboxSpec.recorded`)."""

    def observing(self, owner: tuple[int, int]) -> WatchingJob:
        """Give what a process needs that observes it; ControlError where that can't be done here.

        The sandbox ends with its owner, a pid and its moment of birth (proc_pid_stat(5), field 22).
        """
        ...

    def observed(self) -> Mapping[str, object]:
        """Give what was seen so far, as `aisbx.learn.evidence` reads it; StateError where the observer is gone."""
        ...
