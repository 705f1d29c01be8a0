"""The kit itself: it must notice a driver that lies, and an attack that proves nothing."""

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aisbx.admission import require_able
from aisbx.errors import StateError, UsageError
from aisbx.testing import ATTACKS, DriverContract
from aisbx.testing.attack import Attack, Result, judge
from aisbx.testing.scene import Scene
from aisbx.testing.unconfined import Unconfined
from aisbx.types import (
    CONTROLS,
    Captured,
    ControlState,
    Enforcement,
    ExitStatus,
    Level,
    SandboxSpec,
    Workspace,
    WorkspaceMode,
)
from aisbx_linux.lasting.files import JoinedFiles


class Liar(Unconfined):
    """Claims a level of everything and enforces nothing."""

    def __init__(self, level: Level = Level.FULL) -> None:
        self.level = level

    def check(self, spec: SandboxSpec) -> Enforcement:
        del spec
        return Enforcement.of(ControlState(name, self.level, "trust me", "somehow") for name in CONTROLS)


class Kit(DriverContract):
    python = sys.executable


# One for each control: that each attack works at all is a test of the contract.
FIRST = {attack.control: attack for attack in reversed(list(ATTACKS.values())) if not attack.unprovable()}


@pytest.mark.parametrize("attack", FIRST.values(), ids=lambda attack: attack.id)
def test_a_driver_that_claims_everything_and_does_nothing_is_caught_at_every_control(attack: Attack) -> None:
    with pytest.raises(AssertionError, match=f"{attack.control} is claimed full by 'trust me'"):
        Kit().test_the_attack_fails_or_the_spec_is_refused(Liar(), attack)


def test_a_partial_claim_is_held_to_the_attacks_that_it_covers_and_refused_for_the_others() -> None:
    with pytest.raises(AssertionError, match="fs:protected is claimed partial"):
        Kit().test_the_attack_fails_or_the_spec_is_refused(Liar(Level.PARTIAL), ATTACKS["fs:protected/overwrite-hook"])
    Kit().test_the_attack_fails_or_the_spec_is_refused(Liar(Level.PARTIAL), ATTACKS["fs:host-hidden/secret"])


def test_a_spec_that_a_driver_has_no_way_for_is_refused_by_all_of_them_or_that_is_caught() -> None:
    class Refuses(Liar):
        def check(self, spec: SandboxSpec) -> Enforcement:
            if spec.mounts:
                raise UsageError("no mounts here")
            return super().check(spec)

    class LetsIn(Refuses):
        def open(self, spec: SandboxSpec, home: Path) -> Any:
            return Unconfined().open(spec, home)

    seen: list[object] = []
    kit = Kit()
    kit._record = lambda _name, value: seen.append(value)
    attack = ATTACKS["fs:readonly-runtime/in-the-workspace"]
    kit.test_the_attack_fails_or_the_spec_is_refused(Refuses(), attack)
    assert seen == [f"{attack.id} none refused"]
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        kit.test_the_attack_fails_or_the_spec_is_refused(LetsIn(), attack)


def test_a_sandbox_without_the_programs_interpreter_proves_nothing_and_fails() -> None:
    class NoPython(Kit):
        python = "/bin/false"

    with pytest.raises(AssertionError, match=r"fs:host-hidden/secret proved nothing \(opened\)"):
        NoPython().test_the_attack_fails_or_the_spec_is_refused(Liar(), ATTACKS["fs:host-hidden/secret"])


def test_an_attack_that_does_not_work_unconfined_fails_its_own_test() -> None:
    harmless = Attack(id="net:deny/harmless", sentence="do nothing", program="pass")
    with pytest.raises(AssertionError, match="net:deny/harmless proves nothing here"):
        Kit().test_the_attack_works_unconfined(harmless)


def test_a_refusal_that_names_too_little_is_caught() -> None:
    class Inconsistent(Unconfined):
        def check(self, spec: SandboxSpec) -> Enforcement:
            # Full, but only for specs that do not ask for the limit.
            asks = "memory" in spec.limits
            level = Level.NONE if asks else Level.FULL
            return Enforcement.of([ControlState("limit:memory", level, "by luck", "sometimes")])

    Kit().test_what_is_not_claimed_is_refused(Inconsistent(), "limit:memory")


class ByHostPaths(JoinedFiles):
    """Files as a careless driver has them: whatever a path leads to on the host."""

    def read(self, path: str, limit: int, offset: int = 0) -> bytes:
        try:
            return Path(path).read_bytes()[offset : offset + limit]
        except OSError as error:
            raise StateError(str(error)) from error


def test_a_driver_that_opens_files_by_the_hosts_paths_is_caught() -> None:
    class Careless(Unconfined):
        def open(self, spec: SandboxSpec, home: Path) -> Any:
            sandbox = super().open(spec, home)
            sandbox.files = ByHostPaths("")
            return sandbox

    with Scene() as scene, pytest.raises(AssertionError, match="read from the host by"):
        Kit().test_no_link_inside_leads_the_hosts_work_on_files_out_of_the_sandbox(Careless(), scene)


@pytest.mark.parametrize(
    ("asked", "what"),
    [
        ({"publish": (8080,)}, "publishes no ports"),
        ({"workspace": Workspace("/w", WorkspaceMode.COW)}, "lays no layer"),
    ],
)
def test_what_is_no_control_is_refused_by_a_driver_that_does_not_have_it(asked: dict[str, Any], what: str) -> None:
    with Scene() as scene, pytest.raises(UsageError, match=what):
        require_able(replace(scene.spec(), **asked), Liar())


@pytest.mark.parametrize(
    ("printed", "breached"),
    [
        (b"BREACH read it\n", True),
        (b"HELD EPERM\n", False),
        (b"noise\nHELD EPERM\n", False),
        (b"", None),
        (b"Traceback", None),
        (b"HELDEPERM", None),
    ],
)
def test_the_programs_word_decides_and_no_word_proves_nothing(printed: bytes, *, breached: bool | None) -> None:
    attack = Attack(id="net:deny/x", sentence="x", program="pass")
    with Scene() as scene:
        assert judge(attack, scene, ExitStatus(code=0, stdout=Captured(printed))).breached is breached


def test_the_hosts_evidence_outweighs_what_the_program_says() -> None:
    attack = Attack(id="net:deny/x", sentence="x", program="pass", evidence=lambda _scene, _status: "seen")
    with Scene() as scene:
        result = judge(attack, scene, ExitStatus(code=0, stdout=Captured(b"HELD EPERM\n")))
    assert result == Result(breached=True, what="seen")


@pytest.mark.parametrize("name", ["net:deny", "net:deny/", "net:nothing/x", "x"])
def test_an_attack_aims_at_a_control_that_exists(name: str) -> None:
    with pytest.raises(ValueError, match="is not CONTROL/name"):
        Attack(id=name, sentence="x", program="pass")


def test_a_scene_leaves_nothing_behind() -> None:
    import os
    import subprocess

    with Scene() as scene:
        root = scene.root
        os.makedirs(os.path.join(scene.state, "work/work"), mode=0)
        scene.file("elsewhere", "secret")
        victim = scene.victim()
        # A process that an attack started and nobody waits for.
        stray = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", scene.token])
        end = time.monotonic() + 10
        while stray.pid not in scene.processes():  # its command line shows a moment after it was started
            assert time.monotonic() < end
    assert not os.path.exists(root)
    assert victim.poll() is not None
    assert stray.wait(5) == -9
