"""What the driver says before there is any machine: what it cannot do, and on which platform."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from aisbx.admission import require, require_able, unmet
from aisbx.doctor import SAMPLE
from aisbx.errors import AisbxError, ConfigError, ControlError, DriverUnavailableError, StateError, UsageError
from aisbx.plugins import Plugins
from aisbx.types import CONTROLS, Driver, Mount, Network, NetworkMode, Proxy, SandboxSpec, Workspace, WorkspaceMode
from aisbx_driver_lima import machine, qemu, template
from aisbx_driver_lima.configuration import Configuration, default_image, read
from aisbx_driver_lima.enforce import promised, weaker
from aisbx_driver_lima.image import DISK, INITRD, KERNEL, MANIFEST, find
from aisbx_driver_lima.limactl import hindrance
from aisbx_driver_lima.template import Image

RO = replace(SAMPLE, workspace=Workspace("/home/sandbox/project", WorkspaceMode.RO))


def configured(cache: Path, **settings: object) -> Configuration:
    return read({"cache_dir": str(cache), **settings})


def image_in(place: Path) -> Path:
    place.mkdir(mode=0o755)
    for name in (DISK, KERNEL, INITRD):
        (place / name).touch(0o644)
    (place / MANIFEST).write_text(json.dumps({"format": 1, "arch": "x86_64"}))
    return place


@pytest.fixture
def driver(tmp_path: Path) -> Driver:
    return Plugins().get("driver", "lima", {"cache_dir": str(tmp_path), "image": str(tmp_path / "none")})


def test_without_a_machine_it_is_unusable_says_what_to_do_and_promises_nothing(driver: Driver, tmp_path: Path) -> None:
    probed = driver.probe()
    assert not probed.usable
    assert probed.remedy
    assert {state.level for state in driver.check(RO).states} == {"none"}
    with pytest.raises(ControlError):
        require(RO, driver.check(RO))
    with pytest.raises(DriverUnavailableError):
        driver.open(RO, tmp_path)
    with pytest.raises(StateError):
        driver.attach("any")


@pytest.mark.parametrize(
    ("root", "there", "told"),
    [
        (True, {"limactl", "ssh"}, "Lima does not run as root"),
        (False, {"ssh"}, "there is no limactl"),
        (False, {"limactl"}, "there is no ssh"),
        (False, {"limactl", "ssh"}, ""),
    ],
)
def test_each_thing_that_is_missing_is_named(tmp_path: Path, *, root: bool, there: set[str], told: str) -> None:
    configuration = configured(tmp_path, home="/tmp/lima")
    reason, remedy = hindrance(configuration, root=root, which=lambda name: name if name in there else None)
    assert reason.startswith(told)
    assert bool(reason) == bool(remedy) == bool(told)


def test_a_home_that_is_too_long_for_its_sockets_is_refused(tmp_path: Path) -> None:
    configuration = configured(tmp_path, home="/" + "x" * 80)
    reason, remedy = hindrance(configuration, root=False, which=lambda name: name)
    assert "too long" in reason
    assert "[drivers.lima]" in remedy


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_where_nothing_has_been_run_yet_it_refuses_and_says_so(
    tmp_path: Path, platform: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    configuration = configured(tmp_path, home="/tmp/lima", image=str(image_in(tmp_path / "image")))

    def nothing(*_: object, **__: object) -> tuple[str, str]:
        return "", ""

    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setattr(machine, "hindrance", nothing)
    reason, _ = machine.Machine(configuration, os.environ).hindrance()
    assert reason == f"on {platform} nothing of this driver has been run yet"


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"vm": "x"}, "vm"),
        ({"image": "relative"}, "image"),
        ({"cpus": 0}, "cpus"),
        ({"memory": "1G"}, "memory"),
        ({"copy": True}, "copy"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(tmp_path: Path, settings: dict[str, object], key: str) -> None:
    with pytest.raises(ConfigError, match=f"drivers.lima.{key}"):
        configured(tmp_path, **settings)


@pytest.mark.parametrize("named", ["", "/elsewhere"])
def test_the_image_is_where_the_builder_puts_it(named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also for a preview, which has a cache of its own."""
    from aisbx.inputs import Inputs
    from aisbx.paths import cache_dir

    monkeypatch.setenv("XDG_CACHE_HOME", named)
    usual = cache_dir(Inputs({"HOME": os.path.expanduser("~"), "XDG_CACHE_HOME": named}))
    assert default_image(os.environ) == read({"cache_dir": str(tmp_path)}).image == f"{usual}/lima-image"


def test_an_image_that_others_can_change_is_not_used(tmp_path: Path) -> None:
    place = image_in(tmp_path / "image")
    assert isinstance(find(str(place)), Image)
    for path in (place, place / KERNEL):
        path.chmod(0o777)
        assert "can be changed by other users" in str(find(str(place)))
        path.chmod(0o755)
    (place / MANIFEST).unlink()
    assert "there is no guest image" in str(find(str(place)))


def test_a_live_workspace_is_refused_and_the_others_are_promised() -> None:
    for mode in WorkspaceMode:
        spec = replace(SAMPLE, workspace=Workspace("/home/sandbox/project", mode))
        lacking = [state.control for state in unmet(spec, promised(spec))]
        assert lacking == ([] if mode is not WorkspaceMode.RW else ["fs:workspace", "fs:protected"])
    assert {state.control for state in promised(RO).states} == set(CONTROLS)


_LISTED = Network(NetworkMode.ALLOWLIST, ("example.org",))


def test_an_allow_list_is_held_by_the_proxy_of_the_host() -> None:
    spec = replace(RO, network=replace(_LISTED, proxy=Proxy(("words",), "{}")))
    assert not unmet(spec, promised(spec))
    assert "on the host" in promised(spec)["net:allowlist"].mechanism


@pytest.mark.parametrize(
    "spec",
    [
        replace(RO, network=Network(NetworkMode.OPEN)),
        replace(RO, network=_LISTED),
        replace(RO, mounts=(Mount("/srv/data", "/data", writable=True, origin="the request"),)),
        replace(RO, publish=(8000,)),
    ],
    ids=["open network", "allow-list without a proxy", "writable mount", "published port"],
)
def test_what_no_machine_here_can_do_is_refused(driver: Driver, spec: SandboxSpec) -> None:
    def admit() -> None:
        require_able(spec, driver)
        promised(spec)

    with pytest.raises(UsageError):
        admit()


def test_a_guest_that_holds_less_than_was_promised_is_noticed() -> None:
    told = promised(RO).as_record()
    assert weaker(RO, told) == []
    assert weaker(RO, {**told, "sys:filter": {"level": "none"}}) == ["sys:filter"]
    assert weaker(RO, {name: row for name, row in told.items() if name != "net:deny"}) == ["net:deny"]
    assert "net:deny" in weaker(RO, {**told, "net:deny": "full"})


def test_the_machine_gets_nothing_of_the_host(tmp_path: Path) -> None:
    image = Image("/i/disk.qcow2", "/i/vmlinuz", "/i/initrd", "x86_64")
    text = json.loads(template.template(image, configured(tmp_path), "qemu"))
    assert text["plain"] is True
    assert text["mounts"] == []
    assert text["propagateProxyEnv"] is False
    assert text["ssh"]["loadDotSSHPubKeys"] is False
    assert text["ssh"]["forwardAgent"] is False
    assert "portForwards" not in text


def wrapped(tmp_path: Path, *words: str, kvm: bool = False) -> subprocess.CompletedProcess[str]:
    fake = tmp_path / "qemu"
    fake.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    fake.chmod(0o755)
    wrapper = tmp_path / "wrapper"
    wrapper.write_text(qemu.wrapper(str(fake), kvm=kvm))
    return subprocess.run(["/bin/sh", str(wrapper), *words], capture_output=True, text=True, check=False)


def test_qemu_starts_with_its_network_cut_off_and_emulated_where_there_is_no_kvm(tmp_path: Path) -> None:
    words = ["-machine", "q35,accel=kvm", "-cpu", "host", "-netdev", "user,id=net0,hostfwd=tcp:127.0.0.1:1-:22", "a b"]
    done = wrapped(tmp_path, *words)
    cut = "user,id=net0,hostfwd=tcp:127.0.0.1:1-:22,restrict=on"
    assert done.stdout.splitlines() == ["-machine", "q35,accel=tcg", "-cpu", "max", "-netdev", cut, "a b"]
    done = wrapped(tmp_path, *words, kvm=True)
    assert done.stdout.splitlines() == ["-machine", "q35,accel=kvm", "-cpu", "host", "-netdev", cut, "a b"]
    assert wrapped(tmp_path, "--netdev", "user,id=net0").stdout.splitlines() == ["--netdev", "user,id=net0,restrict=on"]
    done = wrapped(tmp_path, "-M", "none", "-netdev", "help")
    assert done.returncode == 0
    assert done.stdout.splitlines()[-2:] == ["-nic", "none"]


@pytest.mark.parametrize("words", [("--netdev", "socket,id=net0,fd=3"), ("-nic", "user"), ("-net", "user")])
def test_qemu_does_not_start_with_a_network_that_cannot_be_cut_off(tmp_path: Path, words: tuple[str, str]) -> None:
    done = wrapped(tmp_path, "-netdev", "user,id=net0", *words)
    assert (done.returncode, done.stdout) == (1, "")
    assert "does not start" in done.stderr


def test_a_device_without_a_working_kvm_behind_it_is_no_kvm(tmp_path: Path) -> None:
    (tmp_path / "kvm").touch()
    assert not qemu.kvm_works(str(tmp_path / "kvm"))
    assert not qemu.kvm_works("/dev/null")
    assert not qemu.kvm_works(str(tmp_path / "none"))


def test_every_error_is_one_of_ours(tmp_path: Path) -> None:
    with pytest.raises(AisbxError):
        machine.Machine(configured(tmp_path), {}).connect()


_ELSEWHERE = """
import sys
from importlib.abc import MetaPathFinder
from pathlib import Path

from aisbx.plugins import Plugins  # the core is another test's
from aisbx.doctor import SAMPLE
from aisbx.errors import AisbxError

class Missing(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name in {"fcntl", "grp", "posix", "pwd", "resource", "termios", "tty"}:
            raise ModuleNotFoundError(name)

for name in ("fcntl", "grp", "posix", "pwd", "resource", "termios", "tty"):
    sys.modules.pop(name, None)
for name in [name for name in sys.modules if name.startswith(("aisbx_linux", "aisbx_driver"))]:
    del sys.modules[name]
sys.meta_path.insert(0, Missing())
sys.platform = PLATFORM
driver = Plugins().get("driver", "lima", {"cache_dir": PLACE})
print(driver.probe().reason)
print({state.level.value for state in driver.check(SAMPLE).states})
for ask in (
    lambda: driver.open(SAMPLE, Path(PLACE)),
    lambda: driver.create(SAMPLE, Path(PLACE), Path(PLACE), 0.0),
    lambda: driver.attach("any"),
):
    try:
        ask()
    except AisbxError as error:
        print(error.code)
"""


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_without_what_linux_alone_has_it_loads_and_refuses(tmp_path: Path, platform: str) -> None:
    program = _ELSEWHERE.replace("PLATFORM", repr(platform)).replace("PLACE", repr(str(tmp_path)))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == [
        f"on {platform} nothing of this driver has been run yet",
        "{'none'}",
        *("driver-unavailable", "driver-unavailable", "state"),
    ], done.stderr
