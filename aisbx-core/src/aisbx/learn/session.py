"""The run that a profile is learned from: confined as any other, observed, and without an effect on the host.

Its workspace is copy-on-write and what was written is dropped; its network is an allow-list that reaches nothing, so
that whatever is asked for is refused and recorded; secrets are masked.
"""

import os
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from aisbx.audit.read import Record, read_log
from aisbx.errors import AisbxError, LaunchError, StateError, UsageError
from aisbx.inputs import Inputs
from aisbx.learn.evidence import Evidence, evidence
from aisbx.learn.learned import Learned
from aisbx.learn.narrow import Base, narrow
from aisbx.learn.network import NOWHERE
from aisbx.plan.run import new_run
from aisbx.profiles import Finder, parse_profile
from aisbx.profiles.choose import choose
from aisbx.store import Record as Kept
from aisbx.store import Store
from aisbx.toolchains import discover
from aisbx.types import (
    Change,
    Command,
    Network,
    NetworkMode,
    ObservedSandbox,
    Outcome,
    Principal,
    Profile,
    RunRequest,
    Stdio,
    WorkspaceMode,
    WorkspaceRequest,
)

if TYPE_CHECKING:
    from aisbx.engine import Engine

_BIRTH = 19  # behind the command's name: proc_pid_stat(5), field 22


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """What came of the run, and what was learned from it."""

    outcome: Outcome
    base: str
    """The name of the profile that it ran under."""
    evidence: Evidence
    learned: Learned


def learn(
    engine: "Engine", environ: Mapping[str, str], request: RunRequest, principal: Principal, stdio: Stdio, host: str
) -> Lesson:
    """Run a command and learn from it; an AisbxError says why it was refused, and nothing has run.

    `environ` is what toolchains are found by.

    A network that the request names stays open as far as it says, and what is asked for is recorded all the same.
    """
    if not request.command:
        raise UsageError("no command was given to learn from", hint="aisbx learn [OPTIONS] -- CMD...")
    inputs = Inputs(environ)
    finder = Finder(engine.settings, engine.plugins, inputs)
    profile = choose(request.profile, engine.settings, finder, inputs)
    confined, mode, recorded = _confined(request, profile)
    name, began = f"learn-{new_run()}", time.time()
    sandboxes = engine.sandboxes
    record = sandboxes.create(confined, principal, host, name)
    store = Store(engine.state)
    try:
        with _observed(engine, record, store) as sandbox:
            outcome = sandboxes.execute(name, Command(argv=request.command), principal, stdio, host)
            told = sandbox.observed()
        spec = store.spec(name)
        changes = _changes(engine, name, spec.workspace.mode if spec.workspace else None)
    finally:
        findings = sandboxes.destroy(name, principal, host, discard=True)
    status = replace(outcome.status, findings=(*outcome.status.findings, *(findings or ())))
    seen = evidence(told, _asked(engine, name, began), changes)
    found = {each: discover([each], spec.workspace, environ, inputs) for each in profile.toolchains}
    base = Base(
        profile=profile,
        spec=spec,
        toolchains=found,
        restrictions=_restrictions(profile, finder, inputs),
        mode=mode,
        recorded=recorded,
    )
    learned = narrow(base, seen)
    return Lesson(outcome=replace(outcome, status=status), base=profile.name, evidence=seen, learned=learned)


def _confined(request: RunRequest, profile: Profile) -> tuple[RunRequest, WorkspaceMode, bool]:
    """Give the request as it is carried out, how its workspace would have been, and whether hosts are recorded."""
    asked = request.workspace
    wanted = (asked.mode if asked else None) or profile.workspace_mode or WorkspaceMode.RW
    shown = WorkspaceMode.RO if wanted is WorkspaceMode.RO else WorkspaceMode.COW
    ceiling = profile.ceiling.network if profile.ceiling else None
    network = request.network
    if network is None and (ceiling is None or ceiling.mode is NetworkMode.OPEN):
        network = Network(NetworkMode.ALLOWLIST, (NOWHERE,))
    elif network is None:
        network = Network()  # a restriction has the last word, also over what reaches nothing
    elif network.mode is NetworkMode.OPEN:
        raise UsageError("what an open network is used for cannot be learned", hint="name hosts: --network allow=…")
    place = WorkspaceRequest(asked.path if asked else ".", shown)
    confined = replace(request, command=(), learn=True, monitor=False, workspace=place, network=network)
    return confined, wanted, network.mode is NetworkMode.ALLOWLIST


@contextmanager
def _observed(engine: "Engine", record: Kept, store: Store) -> Generator[ObservedSandbox]:
    """Have a sandbox observed from now on, until its end or that of this process."""
    from aisbx import detached, observer  # for systems with `posix`

    sandbox = engine.driver(record.driver).attach(str(store.home(record.name)))
    if not isinstance(sandbox, ObservedSandbox):
        hint = "use -d bwrap"
        raise UsageError(f"what a command does cannot be observed by the driver {record.driver}", hint=hint)
    try:
        failure = detached.launch(observer.__file__, sandbox.observing(_self()))
    except detached.SilentError as silent:
        failure = str(silent) or "it was ended"
    if failure is not None:
        raise LaunchError(f"what is to observe the command does not start: {failure}", hint="try again")
    yield sandbox


def _self() -> tuple[int, int]:
    """Give this process and its moment of birth."""
    with open("/proc/self/stat", "rb", buffering=0) as stream:
        return os.getpid(), int(stream.read().rpartition(b")")[2].split()[_BIRTH])


def _changes(engine: "Engine", name: str, mode: WorkspaceMode | None) -> Sequence[Change]:
    return list(engine.changes.layers(name).changes()) if mode is WorkspaceMode.COW else ()


def _asked(engine: "Engine", name: str, began: float) -> list[Record]:
    """Give the proxy's decisions; StateError where there were more than it records one by one."""
    reading = read_log(engine.audit["path"], since=began - 1)
    found = [record for record in reading.records if record.text("run") == name]
    if any(record.text("kind") == "egress.dropped" for record in found):
        told = "it asked for more hosts than are recorded, so what it needs cannot be told"
        raise StateError(told, hint="learn from a part of it")
    return [record for record in found if record.text("kind").startswith("egress.")]


def _restrictions(profile: Profile, finder: Finder, inputs: Inputs) -> list[str]:
    """Give those parts of a composition that only restrict, by their own word."""
    found: list[str] = []
    for name in profile.name.split("+"):
        try:
            text = finder(name)
        except AisbxError:
            continue  # a name of a composition that is no profile's
        if text is not None and parse_profile(text, inputs)[0].restriction:
            found.append(name)
    return found
