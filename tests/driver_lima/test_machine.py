"""In a real machine: what a command is given, how it ends, and what lasts; the kit's part is `test_contract.py`."""

import hashlib
import os
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aisbx.errors import AbortedError, CommandNotExecutableError, CommandNotFoundError, LaunchError, StateError
from aisbx.testing.scene import Scene
from aisbx.testing.ways import opened
from aisbx.types import (
    Command,
    DistantDriver,
    Driver,
    ExitStatus,
    Limit,
    Mount,
    ObservableSandbox,
    Sandbox,
    SandboxSpec,
    SnapshotDriver,
    Stdio,
    Workspace,
    WorkspaceMode,
)

from tests.driver_lima.guest import PLACE, inside

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


@contextmanager
def lasting(driver: Driver, scene: Scene, spec: SandboxSpec) -> Generator[tuple[Sandbox, Path]]:
    assert isinstance(driver, SnapshotDriver)
    home = Path(tempfile.mkdtemp(dir=scene.state))
    try:
        yield driver.create(spec, home, Path(scene.state), 0.0), home
    finally:
        driver.end(home)


def said(sandbox: Sandbox, *argv: str) -> str:
    status = sandbox.spawn(Command(argv=argv), Stdio()).wait(SECONDS)
    assert status is not None
    assert status.code == 0, status.stderr.data
    return status.stdout.data.decode()


def test_more_than_may_be_copied_is_said_to_be_lost_or_stays_until_it_is_given_up(
    lima: Driver, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lima, "_most", 1 << 20)
    spec = replace(scene.spec(), workspace=Workspace(scene.workspace, WorkspaceMode.COW))
    large = ("/bin/sh", "-c", "head -c 2M /dev/zero >large")
    with pytest.raises(AbortedError, match="what was written is lost"):
        run(lima, scene, *large, spec=spec)
    assert isinstance(lima, DistantDriver)
    for given_up in (True, False):
        home = Path(tempfile.mkdtemp(dir=scene.state))
        said(lima.create(spec, home, Path(scene.state), 0.0), *large)
        with pytest.raises(StateError, match="could not be brought") as caught:
            lima.end(home)
        assert "set more for copy" in caught.value.hint
        if given_up:
            assert lima.abandon(home) == []
        else:
            monkeypatch.setattr(lima, "_most", 8 << 20)
            assert lima.end(home) == []
            assert Path(home, "copied/upper/large").stat().st_size == 2 << 20
        with pytest.raises(StateError, match="has ended"):
            lima.attach(str(home))


def test_a_run_that_writes_nothing_has_nothing_to_say_of_it(lima: Driver, scene: Scene) -> None:
    for mode in (WorkspaceMode.COW, WorkspaceMode.GUARDED):
        spec = replace(scene.spec(), workspace=Workspace(scene.workspace, mode))
        status = run(lima, scene, "/bin/true", spec=spec)
        assert (status.code, status.findings) == (0, ())


def test_what_lasts_outlives_who_made_it_and_the_agent_and_leaves_nothing(lima: Driver, scene: Scene) -> None:
    assert isinstance(lima, SnapshotDriver)
    scene.file("home", "project", "given", text="from the host")
    with lasting(lima, scene, replace(scene.spec(), workspace=Workspace(scene.workspace, WorkspaceMode.COW))) as made:
        sandbox, home = made
        said(sandbox, "/bin/sh", "-c", "sleep 300 </dev/null >/dev/null 2>&1 & cat given; echo >/tmp/kept")
        inside(lima, "kill $(cat /run/user-aisbx/agent.pid)")
        again = lima.attach(str(home))  # what answers now was started anew
        assert "kept" in said(again, "/bin/ls", "/tmp")
        assert isinstance(again, ObservableSandbox)
        (sleeper,) = [row for row in again.processes() if row.argv[0] == "sleep"]
        again.signal(sleeper.pid, signal.SIGKILL)
        with pytest.raises(StateError):
            again.signal(sleeper.pid, signal.SIGKILL)
        tag = Path(tempfile.mkdtemp(dir=scene.state))
        lima.snapshot(home, Path(scene.state), tag)
    shutil.rmtree(tag)
    lima.sweep(Path(scene.state))
    left = inside(
        lima, f"cd {PLACE}; ls runs sandboxes copies snapshots outlets kept/frozen; grep -lx bwrap /proc/[0-9]*/comm"
    )
    names = set(left.stdout.decode().split()) - {f"{name}:" for name in ("runs", "sandboxes", "copies", "snapshots")}
    assert names <= {"outlets:", "kept/frozen:"}
    with pytest.raises(StateError):
        lima.attach(str(home))


def test_with_an_allow_list_what_it_names_is_reached_through_the_host_and_nothing_else(
    lima: Driver, scene: Scene
) -> None:
    """In what lasts, and in a single command, which leaves nothing of it."""
    from aisbx.testing import listeners
    from aisbx.testing.specs import with_allowlist

    allowed, other = (listeners.tcp(scene, socket.AF_INET) for _ in range(2))
    scene.rules = (f"127.0.0.1:{allowed}",)
    spec = with_allowlist(scene, copied(scene.spec()))
    program = (
        "import socket, sys\n"
        "for port in sys.argv[1:]:\n"
        "    with socket.create_connection(('127.0.0.1', 3128), 20) as client:\n"
        "        place = f'127.0.0.1:{port}'\n"
        "        client.sendall(f'CONNECT {place} HTTP/1.1\\r\\nHost: {place}\\r\\n\\r\\n'.encode())\n"
        "        print(client.recv(99).split()[1].decode())"
    )
    with lasting(lima, scene, spec) as (sandbox, _):
        assert said(sandbox, *PYTHON, program, *map(str, [allowed, other] * 3)).split() == ["200", "403"] * 3
        names = "import socket\ntry: socket.gethostbyname('a.example')\nexcept socket.gaierror: print('none')"
        assert said(sandbox, *PYTHON, names) == "none\n"
    status = run(lima, scene, *PYTHON, program, *map(str, [allowed, other]), spec=spec)
    assert status.stdout.data.split() == [b"200", b"403"]
    assert inside(lima, f"ls -A {PLACE}/outlets").stdout == b""
