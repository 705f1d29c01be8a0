"""A sandbox on a root directory has that system's programs, and nothing of the host's."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from aisbx.plugins import Plugins
from aisbx.testing.scene import Scene
from aisbx.types import Command, Driver, ExitStatus, SandboxSpec, Stdio

from tests.linux.roots.conftest import Make

Ran = Callable[[SandboxSpec, str], ExitStatus]


@pytest.fixture(params=["bwrap", "chroot"])
def driver(request: pytest.FixtureRequest, tmp_path: Path) -> Driver:
    (tmp_path / "cache").mkdir(mode=0o700)
    return Plugins().get("driver", request.param, {"cache_dir": f"{tmp_path}/cache"})


@pytest.fixture
def ran(driver: Driver, tmp_path: Path) -> Ran:
    def run(spec: SandboxSpec, script: str) -> ExitStatus:
        (tmp_path / "home").mkdir(mode=0o700, exist_ok=True)
        status = driver.open(spec, tmp_path / "home").spawn(Command(argv=("/bin/sh", "-c", script)), Stdio()).wait(30)
        assert status is not None
        return status

    return run


def test_its_programs_run_and_the_hosts_are_not_there(ran: Ran, make: Make, system: str) -> None:
    with Scene() as scene:
        root = Path(scene.root) / "system"
        make(root, system)
        spec = replace(scene.spec(), rootfs=str(root))
        done = ran(spec, "ls /usr/bin; cat /etc/ssl/certs/ours /opt/tool/said; ls -A / ; echo new > made; cat made")
        assert done.code == 0, done.stderr.data
        words = done.stdout.data.decode().split()
        assert words[:4] == ["cat", "id", "ls", "sh"]
        assert "ourstool" in done.stdout.data.decode()
        assert ".aisbx-rootfs.json" not in words
        assert words[-1] == "new"
        assert ran(spec, ": > /usr/bin/planted").code != 0
        assert not (root / "usr/bin/planted").exists()


def test_a_link_of_its_etc_shows_nothing_of_the_hosts(ran: Ran, make: Make, system: str) -> None:
    """Links at each step: what is read of it on the host, to be shown, is read without following any."""
    with Scene() as scene:
        secret = Path(scene.root) / "keys"
        (secret / "certs").mkdir(parents=True)
        (secret / "certs" / "key").write_text(scene.token)
        root = Path(scene.root) / "system"
        make(root, system)
        (root / "etc/ssl").rename(root / "etc/elsewhere")
        (root / "etc/ssl").symlink_to(secret)
        assert (root / "etc/ssl/certs/key").read_text() == scene.token
        (root / "srv").symlink_to(secret)
        done = ran(replace(scene.spec(), rootfs=str(root)), "cat /etc/ssl/certs/key /srv/certs/key; ls /etc/ssl")
        assert scene.token.encode() not in done.stdout.data
        assert b"No such file" in done.stderr.data
