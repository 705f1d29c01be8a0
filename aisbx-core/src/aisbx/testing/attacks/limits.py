"""Attacks on the limits: each asks for one, and then takes more."""

import os
import resource
from collections.abc import Callable, Mapping
from dataclasses import replace

from aisbx.testing.attack import Attack
from aisbx.testing.premises import sysctl
from aisbx.testing.scene import Scene
from aisbx.types import ExitStatus, Limit, LimitStrength, SandboxSpec, Workspace, WorkspaceMode

_MIB = 1 << 20
_SIGKILL = 9
_OUTPUT = 64 << 10


def _limited(name: str, amount: float) -> Callable[[Scene, SandboxSpec], SandboxSpec]:
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


def _killed(status: ExitStatus) -> bool:
    return status.signal == _SIGKILL or status.oom_killed


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
        shape=_limited("wall_time", 1),
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
        shape=_limited("output", _OUTPUT),
        evidence=_passed_on,
        unmarked=_exited,
        program="""
            for _ in range(64):
                os.write(1, b"x" * 16384)
                os.write(2, b"y" * 16384)
        """,
    ),
    Attack(
        id="limit:memory/one",
        sentence="use more memory than the cap in one process",
        shape=_limited("memory", 96 * _MIB),
        unmarked=_killed,
        program="""
            taken = [b"x" * 1048576 for _ in range(256)]
            breach("%d MiB" % len(taken))
        """,
    ),
    Attack(
        id="limit:memory/sum",
        sentence="use more memory than the cap in several processes that each stay below it",
        shape=_limited("memory", 96 * _MIB),
        unmarked=_killed,
        program="""
            alive = []
            for _ in range(5):
                reader, writer = os.pipe()
                child = os.fork()
                if child == 0:
                    try:
                        taken = b"x" * (48 << 20)
                        os.write(writer, b"!")
                        time.sleep(5)
                    finally:
                        os._exit(0)
                os.close(writer)
                alive.append((child, os.read(reader, 1)))
            time.sleep(0.2)
            ended = sum(os.waitpid(child, os.WNOHANG)[0] != 0 for child, _ in alive)
            for child, _ in alive:
                tries(os.kill, child, signal.SIGKILL)
            if not ended and all(answer for _, answer in alive):
                breach("five times 48 MiB")
        """,
    ),
    Attack(
        id="limit:pids/fork",
        sentence="fork more tasks than the cap",
        shape=_limited("pids", 24),
        unmarked=_killed,
        program="""
            children = []
            try:
                for _ in range(48):
                    child = os.fork()
                    if child == 0:
                        time.sleep(10)
                        os._exit(0)
                    children.append(child)
            except OSError:
                pass
            for child in children:
                tries(os.kill, child, signal.SIGKILL)
            for child in children:
                os.waitpid(child, 0)
            if len(children) > 24:
                breach("%d tasks" % len(children))
        """,
    ),
    Attack(
        id="limit:cpus/burn",
        sentence="use more processor time than the share allows",
        shape=_limited("cpus", 0.1),
        program="""
            # On a busy host an unconfined program gets little as well, so it is given time to get ahead of the share.
            begin = time.monotonic()
            while (elapsed := time.monotonic() - begin) < 6:
                used = time.process_time()
                if used > 0.1 * elapsed + 0.4:
                    breach("%.2f s of processor time in %.2f s" % (used, elapsed))
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
        id="limit:open-files/open",
        sentence="open more files than the cap, after raising it as far as it goes",
        shape=_limited("open_files", 32),
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
        shape=_limited("core", 0),
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
