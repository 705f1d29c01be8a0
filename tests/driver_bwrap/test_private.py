"""How large the sandbox's own file systems are, how many files they hold, and what is said where nobody counts them."""

import ctypes
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from aisbx.admission import unmet
from aisbx.doctor import SAMPLE
from aisbx.types import Level, Limit, LimitStrength, SandboxSpec
from aisbx_linux.local.enforce import Facts, enforcement
from aisbx_linux.local.private import counted, spaces, words

from .conftest import World

_GIB = 1 << 30
# add_key, keyctl; KEYCTL_UNLINK, KEY_SPEC_USER_KEYRING: linux/keyctl.h.
_CALLS = {"x86_64": (248, 250), "aarch64": (217, 219)}
_UNLINK, _USERS = 9, -4


def limited(**amounts: float) -> SandboxSpec:
    limits = {name: Limit(amount, LimitStrength.REQUESTED) for name, amount in amounts.items()}
    return replace(SAMPLE, workspace=None, limits=limits)


@pytest.mark.parametrize(
    ("amounts", "told"),
    [
        ({}, ["", "", ""]),
        ({"memory": 2 * _GIB}, [f",size={_GIB},nr_inodes=262144"] * 3),
        ({"memory": 2 * _GIB, "disk": 8 << 20}, [f",size={part << 20},nr_inodes=10000" for part in (4, 3, 1)]),
        ({"disk": 8 * _GIB}, [f",size={part * _GIB},nr_inodes={part << 18}" for part in (4, 3, 1)]),
        ({"disk": 8}, [",size=4096,nr_inodes=10000"] * 3),
    ],
)
def test_what_a_place_holds_follows_from_the_limits(amounts: dict[str, float], told: list[str]) -> None:
    made = spaces(limited(**amounts))
    assert [space.target for space in made] == ["/tmp", SAMPLE.identity.home, "/dev/shm"]
    assert [space.options for space in made] == [
        f"mode={mode}{more}" for mode, more in zip(("1777", "0700", "1777"), told, strict=True)
    ]


def test_the_tool_binds_what_the_launcher_made_and_makes_the_rest_with_the_same_size() -> None:
    made = spaces(limited(disk=8 << 20))[:1]
    assert words(made, laid_out=True) == ["--bind", "/sys/private-0", "/tmp"]
    assert words(made, laid_out=False) == ["--perms", "1777", "--size", str(4 << 20), "--tmpfs", "/tmp"]


@pytest.mark.parametrize(
    ("lowered", "root", "contained", "level"),
    [
        (set[str](), False, True, Level.FULL),
        (set[str](), False, False, Level.PARTIAL),
        ({"fs:host-hidden"}, False, True, Level.PARTIAL),
        ({"fs:host-hidden"}, True, True, Level.FULL),
        ({"fs:host-hidden", "priv:not-root"}, True, True, Level.PARTIAL),
        (set[str](), True, False, Level.PARTIAL),
    ],
)
def test_a_disk_limit_that_counts_no_files_is_partial_and_refused_when_asked_for(
    lowered: set[str], level: Level, *, root: bool, contained: bool
) -> None:
    spec = replace(limited(disk=_GIB), lowered=frozenset(lowered))
    report = enforcement(spec, Facts(root=root, contained=contained))
    own_uid = root and "priv:not-root" not in lowered
    assert counted(spec, contained=contained, own_uid=own_uid) == (level is Level.FULL)
    assert report["limit:disk"].level is level
    assert bool(report["limit:disk"].remedy) == (level is Level.PARTIAL)
    assert ("limit:disk" in [row.control for row in unmet(spec, report)]) == (level is Level.PARTIAL)


def test_who_gave_up_the_launcher_s_mounts_has_private_places_by_the_tool(world: World) -> None:
    config = world.home / ".config" / "aisbx"
    config.mkdir(parents=True)
    (config / "config.toml").write_text('lower = ["fs:host-hidden", "priv:not-root"]\n')
    done = world.run("sh", "-c", "stat -f -c %b /tmp; stat -f -c %d /tmp; stat -c %a /tmp $HOME /dev/shm")
    blocks, files, *modes = done.stdout.decode().split()
    assert modes == ["1777", "700", "1777"]
    assert int(blocks) * 4096 == _GIB
    assert int(files) != _GIB // 4096, "counted, and not said so"
    row = world.records()[-1]["enforcement"]
    assert "limit:disk" in row, row


@pytest.fixture
def key() -> Iterator[str]:
    """Hold a key in the user's own keyring; gives its name."""
    if not Path("/proc/keys").exists():
        pytest.skip("this kernel has no keyrings")
    add, change = _CALLS[os.uname().machine]
    name = f"aisbx-test-{os.getpid()}"
    libc = ctypes.CDLL(None, use_errno=True)
    serial = libc.syscall(add, b"user", name.encode(), b"secret", 6, _USERS)
    assert serial > 0, os.strerror(ctypes.get_errno())
    yield name
    assert libc.syscall(change, _UNLINK, serial, _USERS) == 0


def test_keys_that_the_user_holds_are_not_named(world: World, key: str) -> None:
    assert key in Path("/proc/keys").read_text(), "the attack itself must work"
    done = world.run("sh", "-c", "cat /proc/keys /proc/key-users; echo read")
    assert done.stdout == b"read\n"
