"""The ways in which a command gets into a sandbox; every attack takes each of them.

`opened` is the full path that every driver has. `planned` is the fast path of a local driver: its plan as plain data,
carried out by the module that the plan names, in a process that does nothing else, as `aisbx run` does it. `joined` is
a command of a sandbox that lasts, in such a process too, as `aisbx exec` does it; `spawned` is one as a program starts
it that has other things to do.
"""

import importlib
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol, TypeVar, cast

from aisbx.testing.attack import Attack, Result, judge
from aisbx.testing.children import in_child, killed_when
from aisbx.testing.scene import Scene
from aisbx.types import (
    Command,
    Driver,
    ExitStatus,
    JoinableSandbox,
    LastingDriver,
    LayeredDriver,
    LocalDriver,
    Proxied,
    ReleasableSandbox,
    Sandbox,
    SandboxSpec,
    SecretDriver,
    Stdio,
)
from aisbx.types.launch import LaunchResult, exit_status, given, launch_request, launch_result

D = TypeVar("D", bound=Driver)
LASTING = ("joined", "spawned")
"""Ways into a sandbox that outlives whoever asked for the command."""


class Way(Protocol):
    """One way into a sandbox."""

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
        """Run a command and give how it ended; TimeoutError after the seconds.

        `home` is a private directory. `alone` says that the calling process was forked for this one run. `proxied` is
        what the driver is to bear of secrets.
        """
        ...


def ways(driver: Driver) -> dict[str, Way]:
    """Give the ways that a driver has, by name."""
    found: dict[str, Way] = {"opened": opened(driver)}
    if isinstance(driver, LocalDriver):
        found["planned"] = planned(driver)
    if isinstance(driver, LastingDriver):
        found["joined"] = joined(driver)
        found["spawned"] = spawned(driver)
    return found


def bearing(driver: D, proxied: Proxied | None) -> D:
    """Give a driver that bears secrets for the proxy; TypeError for one that cannot, and must not claim to."""
    if proxied is None:
        return driver
    if not isinstance(driver, SecretDriver):
        msg = f"driver {driver.name} bears no secrets"
        raise TypeError(msg)
    return cast("D", driver.bearing({}, proxied))  # one of the same kind


def opened(driver: Driver) -> Way:
    """Run through `open` and `spawn`."""

    def run(
        spec: SandboxSpec,
        command: Command,
        stdio: Stdio,
        home: Path,
        seconds: float,
        *,
        alone: bool = False,
        proxied: Proxied | None = None,
    ) -> ExitStatus:
        del alone
        sandbox = bearing(driver, proxied).open(spec, home)
        try:
            status = sandbox.spawn(command, stdio).wait(seconds)
        finally:
            sandbox.close()
        if status is None:
            msg = f"the command did not end within {seconds:g} s"
            raise TimeoutError(msg)
        return status

    return run


def planned(driver: LocalDriver) -> Way:
    """Run the driver's plan through the launcher that it names, in a process of its own."""

    def run(
        spec: SandboxSpec,
        command: Command,
        stdio: Stdio,
        home: Path,
        seconds: float,
        *,
        alone: bool = False,
        proxied: Proxied | None = None,
    ) -> ExitStatus:
        plan = bearing(driver, proxied).plan(spec)
        launcher = importlib.import_module(plan["launcher"])
        request = launch_request(command, stdio, exclusive=True, state=str(home), run="contract", keep=0)

        def launch() -> LaunchResult:
            return launcher.launch(plan, request)

        # The launcher owns its process: it takes over signals and reaps every child.
        result = launch() if alone else in_child(launch, seconds)
        return exit_status(result)

    return run


def joined(driver: LastingDriver) -> Way:
    """Run in a sandbox that lasts, made for this one command, and end it."""

    def run(
        spec: SandboxSpec,
        command: Command,
        stdio: Stdio,
        home: Path,
        seconds: float,
        *,
        alone: bool = False,
        proxied: Proxied | None = None,
    ) -> ExitStatus:
        own = Path(tempfile.mkdtemp(prefix="lasting-", dir=home))
        try:
            sandbox = bearing(driver, proxied).create(spec, own, home, 0.0)

            def execute() -> LaunchResult:
                return _executed(sandbox, command, stdio, home, seconds)

            result = execute() if alone else in_child(execute, seconds)
        except BaseException:
            driver.end(own)
            raise
        result["findings"] += _ended(driver, own)
        return exit_status(result)

    return run


def spawned(driver: LastingDriver) -> Way:
    """Run through `spawn` of a sandbox that lasts, made for this one command, from a process that has others to do."""

    def run(
        spec: SandboxSpec,
        command: Command,
        stdio: Stdio,
        home: Path,
        seconds: float,
        *,
        alone: bool = False,
        proxied: Proxied | None = None,
    ) -> ExitStatus:
        del alone
        own = Path(tempfile.mkdtemp(prefix="lasting-", dir=home))
        try:
            sandbox = bearing(driver, proxied).create(spec, own, home, 0.0)
            try:
                # Not the first command: what made it ready for that one is there now.
                sandbox.spawn(Command(argv=("/bin/true",)), Stdio()).wait(seconds)
                status = sandbox.spawn(command, stdio).wait(seconds)
            finally:
                if isinstance(sandbox, ReleasableSandbox):
                    sandbox.release()
        finally:
            findings = _ended(driver, own)
        if status is None:
            msg = f"the command did not end within {seconds:g} s"
            raise TimeoutError(msg)
        return replace(status, findings=(*status.findings, *findings))

    return run


def _ended(driver: LastingDriver, home: Path) -> list[str]:
    """End a sandbox, and do with its layer what the mode of its workspace says, as `aisbx destroy` does."""
    findings = [*driver.end(home)]
    if isinstance(driver, LayeredDriver) and (layers := driver.layers(home)) is not None:
        findings += layers.finish()
    return findings


def _executed(sandbox: Sandbox, command: Command, stdio: Stdio, home: Path, seconds: float) -> LaunchResult:
    if isinstance(sandbox, JoinableSandbox):
        plan = sandbox.plan(command)
        request = launch_request(command, stdio, exclusive=True, state=str(home), run="contract", keep=0)
        return importlib.import_module(plan["launcher"]).launch(plan, request)
    status = sandbox.spawn(command, stdio).wait(seconds)
    if status is None:
        msg = f"the command did not end within {seconds:g} s"
        raise TimeoutError(msg)
    return launch_result(given(status))


def perform(attack: Attack, way: Way, python: str, scenes: Callable[[], Scene] = Scene) -> Result:
    """Set the scene, run the attack in it, and judge. `python` is the interpreter's path inside."""
    with scenes() as scene:
        facts = attack.stage(scene)
        spec = attack.shape(scene, scene.spec())
        command, stdio, home = attack.command(scene, facts, python), attack.stdio(scene), Path(scene.state)
        proxied = attack.bears(scene)

        def run(*, alone: bool = False) -> ExitStatus:
            return way(spec, command, stdio, home, attack.seconds, alone=alone, proxied=proxied)

        status = ExitStatus(code=137, signal=9)  # what the caller of a launcher that was killed sees
        with scene.watching():
            try:
                if attack.kills_launcher:
                    killed_when(lambda: run(alone=True), scene.beating, attack.seconds)
                else:
                    status = run()
            except TimeoutError as error:
                return Result(breached=None, what=str(error))
        return judge(attack, scene, status)
