"""Attacks of the contract kit through the compiled front, as `aisbx run` and `exec` take it with a plan at hand.

All of those on what the front does itself, and of each other control the first: a system-call filter that is there is
the plan's own, and the other ways try all of it.
"""

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from aisbx.admission import unmet
from aisbx.audit.write import open_log
from aisbx.plan import native
from aisbx.plan.keep import store, write
from aisbx.plan.recall import FORMAT, environment_digest
from aisbx.plugins import Plugins
from aisbx.testing import ATTACKS, DriverContract
from aisbx.testing.attack import Attack
from aisbx.testing.scene import Scene
from aisbx.testing.ways import bearing, joined, perform, planned
from aisbx.types import (
    AuditPlace,
    Captured,
    Carried,
    Command,
    Driver,
    ExitStatus,
    JoinableSandbox,
    LastingDriver,
    LaunchPlan,
    LocalDriver,
    PlanEntry,
    Proxied,
    SandboxSpec,
    Stdio,
)
from aisbx_linux.lasting.carried import carried as entering
from aisbx_linux.modules import carried
from aisbx_linux.protect import scan

from .conftest import CORE, FRONT, NOT_LEAN, needs_front

pytestmark = needs_front
DRIVER = "aisbx_linux"
OWN = ("desc:clean", "env:clean", "fs:protected", "fs:workspace", "priv:not-root", "proc:isolated", "proc:no-survivors")
SLOW = ("limit:cpus",)  # of the cgroup alone, which tests/linux/native tries
# What is typed is in the host's list of processes, for whoever finds the program or its variables there.
TYPED = ("env:clean/command-line", "priv:not-root/host-uid")
# Of an allow-list, a secret, a terminal, a descriptor that this way does not pass, a launcher that is killed.
ELSEWHERE = (
    "net:allowlist/tcp",
    "secret:proxied/inside",
    "tty:no-injection/same-terminal",
    "desc:clean/stdin-reopened",
    "proc:no-survivors/launcher-killed",
)


def chosen() -> Iterator[Attack]:
    seen: set[str] = set()
    for attack in ATTACKS.values():
        if (
            attack.id not in TYPED
            and attack.control not in SLOW
            and (attack.control in OWN or attack.control not in seen)
        ):
            yield attack
        seen.add(attack.control)


@pytest.fixture(scope="module")
def bwrap(tmp_path_factory: pytest.TempPathFactory) -> Driver:
    cache = tmp_path_factory.mktemp("cache")
    cache.chmod(0o700)
    return Plugins().get("driver", "bwrap", {"cache_dir": str(cache)})


class Fronted:
    """A way into a sandbox: the front, with a plan at hand. Says how many it carried out."""

    def __init__(self) -> None:
        self.carried = 0

    def carry_out(
        self, plan: LaunchPlan, carried: Carried, command: Command, stdio: Stdio, home: Path, seconds: float
    ) -> ExitStatus:
        """Run `carried` as the front does what is typed, of which `plan` is Python's."""
        environ = {b"HOME": os.fsencode(home), b"AISBX_FRONT": b"only"}
        audit: AuditPlace = {"path": f"{home}/audit", "key": f"{home}/key", "limit": 1 << 30, "keep": 0, "export": ""}
        open_log(audit).close()
        joins = carried["joining"] is not None
        plans = home / (".local/state/aisbx/sandboxes/work/plans" if joins else ".cache/aisbx/plans")
        for folder in (plans, home / "scans", home / "runs"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        roots = [str(Path(importlib.import_module(DRIVER).__file__ or "").parents[1])]
        entry = cast(
            "PlanEntry",
            {"format": FORMAT, "name": "entry", "paths": [], "variables": [], "prefixes": [], "roots": roots}
            | {"environment": environment_digest({}, [], []), "code": [], "plan": plan, "kind": "run", "audit": audit}
            | {"record": '"profile":"base"', "program_only": False, "state": str(home), "keep_output": 0}
            | {"keep_runs": 0},
        )
        written = write(str(plans), entry)
        assert written is not None
        name = native.name_of({"sandbox": ["work"]} if joins else {}, os.getcwd(), environ)
        store(str(plans), name, native.encode(entry, written, name, carried, environ))
        typed = ["exec", "work"] if joins else ["run"]
        typed += [f"--env={key}={value}" for key, value in command.environment.items()]
        done = subprocess.run(
            [FRONT, sys.executable, f"{CORE}/aisbx/cli/fast.py", *typed, "--", *command.argv],
            env={os.fsdecode(key): os.fsdecode(value) for key, value in environ.items()},
            input=stdio.stdin if isinstance(stdio.stdin, bytes) else b"",
            stdout=stdio.stdout if stdio.stdout is not None else subprocess.PIPE,
            stderr=stdio.stderr if stdio.stderr is not None else subprocess.PIPE,
            timeout=seconds,
            check=False,
        )
        assert done.returncode != NOT_LEAN, done.stderr
        self.carried += 1
        record = json.loads(Path(audit["path"]).read_text().splitlines()[-1])
        return ExitStatus(
            code=done.returncode,
            signal=record["signal"] or 0,
            timed_out=record["timed_out"],
            oom_killed=record["oom_killed"],
            pids_limited=record["pids_limited"],
            stdout=Captured(done.stdout or b""),
            stderr=Captured((done.stderr or b"").partition(b"aisbx: ")[0]),
            findings=tuple(record["findings"]),
        )


def elsewhere(command: Command, stdio: Stdio, *, alone: bool) -> bool:
    """Tell what is not the front's to carry out."""
    return stdio.terminal or alone or bool(command.cwd) or isinstance(stdio.stdin, int)


class Begun(Fronted):
    """In a sandbox of its own, by the driver's plan for the spec."""

    def __init__(self, driver: LocalDriver) -> None:
        super().__init__()
        self.driver = driver

    def __call__(
        self,
        spec: SandboxSpec,
        command: Command,
        stdio: Stdio,
        home: Path,
        seconds: float,
        *,
        alone: bool = False,
        proxied: Proxied | None = None,
    ) -> ExitStatus:
        driver = bearing(self.driver, proxied)
        plan = driver.plan(spec)
        own = carried(plan, str(home))
        if own is None or elsewhere(command, stdio, alone=alone):
            return planned(driver)(spec, command, stdio, home, seconds, alone=alone)
        (home / "scans").mkdir(mode=0o700, parents=True, exist_ok=True)
        if own["scans"] and plan["workspace"]:
            scan.scan(plan["workspace"][0], own["scans"])
        return self.carry_out(plan, own, command, stdio, home, seconds)


class Entered(Fronted):
    """In a sandbox that lasts, made for this one command."""

    def __init__(self, driver: LastingDriver) -> None:
        super().__init__()
        self.driver = driver

    def __call__(
        self,
        spec: SandboxSpec,
        command: Command,
        stdio: Stdio,
        home: Path,
        seconds: float,
        *,
        alone: bool = False,
        proxied: Proxied | None = None,
    ) -> ExitStatus:
        driver = bearing(self.driver, proxied)
        if elsewhere(command, stdio, alone=alone):
            return joined(driver)(spec, command, stdio, home, seconds, alone=alone)
        own = home / "lasting"
        own.mkdir(mode=0o700)
        sandbox = driver.create(spec, own, home, 0.0)
        try:
            assert isinstance(sandbox, JoinableSandbox)
            plan = sandbox.plan(replace(command, environment={}))
            entered = entering(plan, str(home))
            assert entered is not None
            status = self.carry_out(plan, entered, command, stdio, home, seconds)
        finally:
            findings = self.driver.end(own)
        return replace(status, findings=(*status.findings, *findings))


@pytest.fixture(scope="module", params=["begun", "entered"])
def fronted(bwrap: Driver, request: pytest.FixtureRequest) -> Begun | Entered:
    if request.param == "begun":
        assert isinstance(bwrap, LocalDriver)
        return Begun(bwrap)
    assert isinstance(bwrap, LastingDriver)
    return Entered(bwrap)


@pytest.mark.parametrize("attack", [pytest.param(attack, id=attack.id) for attack in chosen()])
def test_the_attack_fails(
    fronted: Begun | Entered, bwrap: Driver, attack: Attack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "RACY", 0)  # what has just been made would be looked at again, which is Python's to do
    with Scene() as scene:
        attack.stage(scene)
        spec = attack.shape(scene, scene.spec())
        if [missing for missing in unmet(spec, bwrap.check(spec)) if missing.control == attack.control]:
            return  # refused: nobody gets that far
    if isinstance(fronted, Entered) and attack.kills_launcher:
        return  # what a command leaves behind in a sandbox that lasts is meant to go on
    before = fronted.carried
    result = perform(attack, fronted, DriverContract.python)
    assert result.breached is False, result.what
    assert fronted.carried > before or attack.id in ELSEWHERE
