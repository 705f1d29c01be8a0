"""In a real machine: what a command is given, how it ends, and the kit's attacks on what the driver claims."""

import hashlib
import os
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from aisbx.admission import unmet
from aisbx.errors import CommandNotExecutableError, CommandNotFoundError, LaunchError, UsageError
from aisbx.testing.attack import Attack
from aisbx.testing.attacks import ATTACKS
from aisbx.testing.scene import Scene
from aisbx.testing.ways import opened, perform
from aisbx.types import Command, Driver, ExitStatus, Level, Limit, Mount, SandboxSpec, Stdio, Workspace, WorkspaceMode

PYTHON = ("/usr/bin/python3", "-I", "-S", "-c")
SECONDS = 60.0


@pytest.fixture
def scene() -> Iterator[Scene]:
    with Scene() as scene:
        yield scene


def copied(spec: SandboxSpec) -> SandboxSpec:
    """The spec with a workspace that there can be in a guest."""
    assert spec.workspace is not None
    return replace(spec, workspace=Workspace(spec.workspace.path, WorkspaceMode.RO))


def run(
    driver: Driver, scene: Scene, *argv: str, stdio: Stdio | None = None, spec: SandboxSpec | None = None
) -> ExitStatus:
    way = opened(driver)
    return way(spec or copied(scene.spec()), Command(argv=argv), stdio or Stdio(), Path(scene.state), SECONDS)


def test_a_command_sees_a_copy_of_the_workspace_and_streams_and_code_come_back(lima: Driver, scene: Scene) -> None:
    scene.file("home", "project", "deep", "given", text="from the host")
    given = bytes(range(256)) * 1024
    program = (
        "import hashlib, os, sys; data = sys.stdin.buffer.read(); print(hashlib.sha256(data).hexdigest());"
        "print(open('deep/given').read(), os.getcwd()); sys.stdout.flush();"
        "os.write(2, bytes(range(256)) * 500); sys.exit(7)"
    )
    status = run(lima, scene, *PYTHON, program, stdio=Stdio(stdin=given))
    assert (status.code, status.signal, status.timed_out) == (7, 0, False)
    expected = f"{hashlib.sha256(given).hexdigest()}\nfrom the host {scene.workspace}\n"
    assert status.stdout.data.decode() == expected
    assert status.stderr.data == bytes(range(256)) * 500


@pytest.mark.parametrize("code", [1, 126, 255])
def test_the_exit_code_is_the_commands_own_also_where_ssh_would_use_it(lima: Driver, scene: Scene, code: int) -> None:
    assert run(lima, scene, "/bin/sh", "-c", f"exit {code}").code == code


def test_death_by_a_signal_a_time_limit_and_missing_commands_are_told_apart(lima: Driver, scene: Scene) -> None:
    assert run(lima, scene, "/bin/sh", "-c", "kill -9 $$").code == 137
    spec = replace(copied(scene.spec()), limits={"wall_time": Limit(1)})
    status = run(lima, scene, "/bin/sleep", "30", spec=spec)
    assert (status.code, status.timed_out) == (124, True)
    with pytest.raises(CommandNotFoundError):
        run(lima, scene, "/no/such/command")
    path = scene.file("home", "project", "data", text="no program", mode=0o644)
    with pytest.raises(CommandNotExecutableError):
        run(lima, scene, path)


def test_a_signal_reaches_the_command_while_its_input_waits(lima: Driver, scene: Scene) -> None:
    program = (
        "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(9));"
        "print('ready', flush=True); time.sleep(30)"
    )
    sandbox = lima.open(copied(scene.spec()), Path(scene.state))
    reader, writer = os.pipe()
    try:
        process = sandbox.spawn(Command(argv=(*PYTHON, program)), Stdio(stdin=b"x" * 2_000_000, stdout=writer))
        while not select_one(reader):
            assert process.wait(0.1) is None
        assert os.read(reader, 9) == b"ready\n"
        process.signal(signal.SIGTERM)
        status = process.wait(SECONDS)
        assert status is not None
        assert status.code == 9
    finally:
        sandbox.close()
        os.close(reader)
        os.close(writer)


def select_one(descriptor: int) -> bool:
    import select

    return bool(select.select([descriptor], [], [], 0)[0])


def test_a_terminal_has_the_size_it_is_given(lima: Driver, scene: Scene) -> None:
    slave = scene.terminal()
    program = (
        "import os, time; print([os.isatty(n) for n in (0, 1, 2)], flush=True)\n"
        "while os.get_terminal_size() != (77, 33): time.sleep(0.02)\n"
        "print('resized', flush=True)"
    )
    sandbox = lima.open(copied(scene.spec()), Path(scene.state))
    shown = b""
    try:
        process = sandbox.spawn(Command(argv=(*PYTHON, program)), Stdio(stdin=slave, stdout=slave, terminal=True))
        end = time.monotonic() + SECONDS
        asked = False
        while process.wait(0.1) is None and time.monotonic() < end:
            shown += scene.terminal_output()
            if b"[True, True, True]" in shown and not asked:
                process.resize(33, 77)
                asked = True
    finally:
        sandbox.close()
    assert b"resized" in shown + scene.terminal_output()


def test_a_mount_is_copied_and_one_that_is_too_large_is_refused(lima: Driver, scene: Scene) -> None:
    scene.file("elsewhere", "tool", text="a tool")
    single = scene.file("single", text="a file")
    mounts = (Mount(scene.elsewhere, "/mnt/tools"), Mount(single, "/mnt/one"))
    spec = replace(copied(scene.spec()), mounts=mounts)
    assert run(lima, scene, "/bin/cat", "/mnt/tools/tool", "/mnt/one", spec=spec).stdout.data == b"a toola file"
    with open(os.path.join(scene.elsewhere, "large"), "wb") as file:
        file.truncate(1100 << 20)
    with pytest.raises(LaunchError, match="larger than"):
        run(lima, scene, "/bin/true", spec=spec)


def test_the_guest_itself_reaches_no_server_of_the_host(lima: Driver, scene: Scene) -> None:
    """By ssh, outside of any sandbox: as whoever has got out of one."""
    import subprocess

    assert run(lima, scene, "/bin/true").code == 0
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        home = lima.machine._configuration.home  # pyright: ignore[reportAttributeAccessIssue]
        probe = f'import socket; socket.create_connection(("192.168.5.2", {port}), 3)'
        words = ["ssh", "-F", f"{home}/aisbx/ssh.config", "lima-aisbx", f"python3 -c '{probe}'"]
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode != 0
    assert "TimeoutError" in done.stderr or "unreachable" in done.stderr or "refused" in done.stderr, done.stderr


def _shaped(attack: Attack, scene: Scene, spec: SandboxSpec) -> SandboxSpec:
    """What the attack asks for, in a workspace that there can be in a guest."""
    shaped = attack.shape(scene, spec)
    live = shaped.workspace is not None and shaped.workspace.mode is WorkspaceMode.RW
    return copied(shaped) if live else shaped


# What kills the launcher is told by files that the command writes on the host, where it has only a copy.
_HERE = [pytest.param(attack, id=attack.id) for attack in ATTACKS.values() if not attack.kills_launcher]


@pytest.mark.parametrize("attack", _HERE)
def test_the_kits_attack_fails_or_what_it_attacks_is_refused(lima: Driver, attack: Attack) -> None:
    """Without a live workspace; what an attack shows by files of the host proves nothing then."""
    with Scene() as scene:
        attack.stage(scene)
        spec = _shaped(attack, scene, scene.spec())
        try:
            enforcement = lima.check(spec)
        except UsageError:
            return  # it asks for a network, or a writable mount
        if enforcement[attack.control].level is not Level.FULL:
            assert attack.control in {state.control for state in unmet(spec, enforcement)} or not spec.workspace
            return

    def shape(scene: Scene, spec: SandboxSpec) -> SandboxSpec:
        return _shaped(attack, scene, spec)

    result = perform(replace(attack, shape=shape), opened(lima), PYTHON[0])
    assert not result.breached, f"{attack.sentence}: {result.what}"


@pytest.mark.parametrize("mode", [WorkspaceMode.COW, WorkspaceMode.GUARDED])
def test_what_is_written_over_a_copy_comes_back_as_a_layer_for_the_host(
    lima: Driver, scene: Scene, mode: WorkspaceMode
) -> None:
    scene.file("home", "project", "removed", text="host's")
    scene.file("home", "project", "edited", text="host's")
    spec = replace(scene.spec(), workspace=Workspace(scene.workspace, mode))
    program = "rm removed; echo inside >edited; mkdir new; echo x >new/file; echo x >.envrc"
    status = run(lima, scene, "/bin/sh", "-c", program, spec=spec)
    assert status.code == 0, status.stderr
    applied = mode is WorkspaceMode.GUARDED
    assert (Path(scene.workspace, "edited").read_text() == "inside\n") is applied
    assert Path(scene.workspace, "removed").exists() is not applied
    assert Path(scene.workspace, "new/file").exists() is applied
    assert not Path(scene.workspace, ".envrc").exists()
    (layer,) = os.listdir(f"{scene.state}/layers")
    assert any(f"aisbx diff {layer}" in line for line in status.findings)
