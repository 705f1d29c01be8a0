"""Attacks on the limits of time, output, disk and files: each asks for one, and then takes more."""

import os
import resource
from collections.abc import Callable, Mapping
from dataclasses import replace

from aisbx.testing.attack import Attack
from aisbx.testing.premises import sysctl
from aisbx.testing.scene import Scene
from aisbx.types import ExitStatus, Limit, LimitStrength, SandboxSpec, Workspace, WorkspaceMode

_MIB = 1 << 20
_OUTPUT = 64 << 10


def limited(name: str, amount: float) -> Callable[[Scene, SandboxSpec], SandboxSpec]:
    """Ask for a limit by name."""

    def shape(_scene: Scene, spec: SandboxSpec) -> SandboxSpec:
        return replace(spec, limits={**spec.limits, name: Limit(amount, LimitStrength.REQUESTED)})

    return shape


def _disk(scene: Scene, spec: SandboxSpec) -> SandboxSpec:
    """Ask without a live workspace, for that lies on the host's disk and is never capped."""
    return replace(
        spec,
        workspace=Workspace(scene.workspace, WorkspaceMode.RO),
        limits={**spec.limits, "disk": Limit(8 * _MIB, LimitStrength.REQUESTED)},
    )


def _passed_on(_scene: Scene, status: ExitStatus) -> str:
    passed = len(status.stdout.data) + len(status.stderr.data)
    return f"{passed} bytes were passed on" if passed > _OUTPUT else ""


def _exited(status: ExitStatus) -> bool:
    """Its word may lie beyond the bound; that it ended by itself is enough, for evidence counts the bytes."""
    return status.code == 0


def _late(_scene: Scene, status: ExitStatus) -> str:
    return f"it ran for {status.duration:.1f} s" if status.duration > 4 else ""


def _timed_out(status: ExitStatus) -> bool:
    return status.timed_out


def _for_cores(scene: Scene) -> Mapping[str, object]:
    os.chmod(scene.workspace, 0o777)
    return {}


def _core(scene: Scene, _status: ExitStatus) -> str:
    found = [name for name in os.listdir(scene.workspace) if name.startswith("core")]
    return f"{found[0]} lies in the workspace" if found else ""


def _no_cores() -> str:
    """Say why a crash of this very process would leave no core: its limit, or that it may not be dumped."""
    if resource.getrlimit(resource.RLIMIT_CORE)[1] in {0, 1}:
        return "this process may write no core files either"
    return "" if sysctl("kernel.core_pattern") else "this kernel's core_pattern is empty"


def _few_files() -> str:
    return "" if resource.getrlimit(resource.RLIMIT_NOFILE)[1] > 100 else "this process may open few files itself"


ATTACKS = (
    Attack(
        id="limit:wall-time/deaf",
        sentence="go on after the time limit, deaf to every signal that can be ignored",
        shape=limited("wall_time", 1),
        evidence=_late,
        unmarked=_timed_out,
        program="""
            for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
                try:
                    signal.signal(number, signal.SIG_IGN)
                except (OSError, ValueError):
                    pass
            end = time.monotonic() + 4.5
            while time.monotonic() < end:
                time.sleep(0.1)
            breach("four seconds have passed")
        """,
    ),
    Attack(
        id="limit:output/flood",
        sentence="write more than the bound, to both streams",
        shape=limited("output", _OUTPUT),
        evidence=_passed_on,
        unmarked=_exited,
        program="""
            for _ in range(64):
                os.write(1, b"x" * 16384)
                os.write(2, b"y" * 16384)
        """,
    ),
    Attack(
        id="limit:disk/fill",
        sentence="write more to private space than the cap",
        shape=_disk,
        program="""
            for place in ("/tmp", "/dev/shm", facts["home"]):
                path = place + "/" + token + "-fill"
                try:
                    with open(path, "wb") as file:
                        for _ in range(32):
                            file.write(b"x" * 1048576)
                            file.flush()
                except OSError:
                    continue
                finally:
                    tries(os.unlink, path)
                breach("32 MiB in " + place)
        """,
    ),
    Attack(
        id="limit:disk/inodes",
        sentence="make more files in private space than the cap has room for, with nothing in them",
        shape=_disk,
        program="""
            for place in ("/dev/shm", "/tmp", facts["home"]):
                folder = place + "/" + token + "-inodes"
                os.mkdir(folder)
                made = 0
                try:
                    while made < 20000:
                        os.close(os.open(folder + "/" + str(made), os.O_CREAT | os.O_WRONLY))
                        made += 1
                except OSError:
                    continue
                finally:
                    for number in range(made):
                        os.unlink(folder + "/" + str(number))
                    os.rmdir(folder)
                breach("%d files in %s" % (made, place))
        """,
    ),
    Attack(
        id="limit:open-files/open",
        sentence="open more files than the cap, after raising it as far as it goes",
        shape=limited("open_files", 32),
        unprovable=_few_files,
        program="""
            import resource
            tries(resource.setrlimit, resource.RLIMIT_NOFILE, (100, 100))
            opened = []
            while len(opened) < 64:
                opened.append(os.open("/dev/null", os.O_RDONLY))
            breach("%d files" % len(opened))
        """,
    ),
    Attack(
        id="limit:core/raise",
        sentence="raise the limit for core files again, and crash",
        stage=_for_cores,
        shape=limited("core", 0),
        evidence=_core,
        unprovable=_no_cores,
        program="""
            import resource
            hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
            tries(resource.setrlimit, resource.RLIMIT_CORE, (hard, hard))
            child = os.fork()
            if child == 0:
                os.chdir(facts["workspace"])
                os.abort()
            if os.WCOREDUMP(os.waitpid(child, 0)[1]):
                breach("a core was dumped")
        """,
    ),
)
