"""Sandboxes that are watched (`aisbx.watcher`): who watches is started, and missed; and runs that are watched."""

import marshal
import os
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from aisbx.audit.write import RESERVE
from aisbx.errors import LaunchError, UsageError
from aisbx.plan.run import new_run
from aisbx.types import (
    Command,
    Driver,
    Outcome,
    Principal,
    RunRequest,
    Sandbox,
    SandboxSpec,
    Stdio,
    WatchableDriver,
    WatchedSandbox,
)

if TYPE_CHECKING:
    from pathlib import Path

    from aisbx.engine.engine import Engine
    from aisbx.store import Record
    from aisbx.watcher import Job

_BIRTH = 19  # behind the command's name: proc_pid_stat(5), field 22


def watch(
    engine: "Engine", record: "Record", sandbox: Sandbox, place: "Path", owner: tuple[int, int] | None = None
) -> None:
    """Have a sandbox watched, where nobody does yet; an AisbxError where that can't be.

    With an `owner`, a pid and its moment of birth, it ends with that process.
    """
    from aisbx import detached, watcher  # for systems with `posix`

    if watcher.kept(str(place)):
        return
    if not isinstance(sandbox, WatchedSandbox):
        hint = "leave out --monitor, or use -d bwrap"
        raise UsageError(f"driver {record.driver} cannot tell what a sandbox was refused", hint=hint)
    said, settings = engine.settings.plugins, engine.settings
    tables = {name: dict(settings.sink_settings.get(name, {})) for name in settings.sinks}
    allow = None if said.allow is None else list(said.allow)
    job: Job = {
        "sandbox": str(place),
        "name": record.name,
        "principal": record.principal,
        "audit": engine.audit,
        "reserve": f"{engine.state}/{RESERVE}",
        "sinks": {"allow": allow, "disable": list(said.disable), "settings": tables} if tables else None,
        "work": sandbox.watching(owner),
    }
    try:
        failure = _launch(job) if job["work"]["program"] else detached.launch(watcher.__file__, job)
    except detached.SilentError as silent:
        failure = str(silent) or "it was ended"
    if failure is not None:
        hint = "try again, or make it with --no-monitor"
        raise LaunchError(f"what is to watch the sandbox {record.name} does not start: {failure}", hint=hint)


def _launch(job: "Job") -> str | None:
    """Start the compiled program that watches, and give what kept it from beginning. It starts the recorder."""
    from aisbx import watcher
    from aisbx.plan.native import Out
    from aisbx.whose import RECORD

    work = job["work"]
    out = Out()
    out.text(f"{job['sandbox']}/{watcher.LOCK}")
    out.text(f"{job['sandbox']}/{RECORD}")
    out.texts([sys.executable, "-I", "-S", watcher.__file__, watcher.RECORDER])
    out.data(marshal.dumps({**job, "work": {**work, "told": b""}}))  # pyright: ignore[reportArgumentType]  (plain data)
    told = bytes(out.content) + work["told"]
    try:
        done = subprocess.run(
            [work["program"]], input=told, capture_output=True, check=False, start_new_session=True, env={}
        )
    except OSError as error:
        return f"{work['program']}: {error.strerror}"
    if done.stdout == b".":
        return None
    return done.stdout.decode(errors="replace") or "it was ended"


def by_default(driver: Driver, request: RunRequest, spec: SandboxSpec) -> tuple[SandboxSpec, str]:
    """Give the spec of a sandbox that lasts, which is watched where nobody says anything of that; or why it is not."""
    if request.monitor is not None or spec.monitored:  # as its profile has it
        return spec, ""
    if not isinstance(driver, WatchableDriver):
        return spec, f"driver {driver.name} cannot tell what a sandbox was refused"
    why = driver.unwatched(spec)
    return (spec, why) if why else (replace(spec, monitored=True), "")


def run_watched(engine: "Engine", request: RunRequest, principal: Principal, stdio: Stdio, host: str) -> Outcome:
    """Run one command in a sandbox that is made for it, watched, and ended with it or with this process."""
    sandboxes, name = engine.sandboxes, f"run-{new_run()}"
    variables = tuple(secret for secret in request.secrets if secret.variable)
    others = tuple(secret for secret in request.secrets if not secret.variable)
    sandboxes.create(replace(request, secrets=others), principal, host, name, owner=_self())
    findings: list[str] | None = None
    try:
        command = Command(argv=request.command or ("/bin/sh",), secrets=variables)
        outcome = sandboxes.execute(name, command, principal, stdio, host)
    finally:
        findings = sandboxes.destroy(name, principal, host, keep=True)
    status = replace(outcome.status, findings=(*outcome.status.findings, *(findings or ())))
    return replace(outcome, status=status)


def _self() -> tuple[int, int]:
    """Give this process and its moment of birth."""
    with open("/proc/self/stat", "rb", buffering=0) as stream:
        return os.getpid(), int(stream.read().rpartition(b")")[2].split()[_BIRTH])
