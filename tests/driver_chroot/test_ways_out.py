"""The classic ways out of a chroot: each leads out of a plain chroot(2), and none out of the driver's sandbox."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from aisbx.testing.scene import Scene
from aisbx.types import Command, Driver, Stdio

# Prints OUT where the way leads to the secret, or to what is as good: a process or a device of the host.
ATTACK = r"""
import ctypes, os, stat, sys

libc = ctypes.CDLL(None, use_errno=True)
way, secret = sys.argv[1:3]

def descriptor():
    for number in range(3, 64):
        try:
            os.fchdir(number)
            return open("." + secret).read() == "secret"
        except OSError:
            pass

def nested():
    os.makedirs("inner", exist_ok=True)
    here = os.open(".", os.O_RDONLY)
    os.chroot("inner")
    os.fchdir(here)
    for _ in range(64):
        os.chdir("..")
    os.chroot(".")
    return open(secret).read() == "secret"

def trace():
    return libc.ptrace(0x4206, os.getppid(), 0, 0) == 0

def device():
    os.mknod("node", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    return open("node", "rb").read(1) == b"\0"

def proc():
    for number in filter(str.isdigit, os.listdir("/proc")):
        try:
            if open(f"/proc/{number}/root{secret}").read() == "secret":
                return True
        except OSError:
            pass

def mount():
    os.makedirs("mounted", exist_ok=True)
    if libc.mount(b"proc", b"mounted", b"proc", 0, None):
        return False
    return open(f"mounted/1/root{secret}").read() == "secret"

try:
    print("OUT" if globals()[way]() else "still in", flush=True)
except OSError as error:
    print(f"still in: {error}", flush=True)
"""
# The first process of a PID namespace stays outside; its child goes into a chroot with all its privileges.
PLAIN = r"""
import os, sys

way, secret, jail, attack = sys.argv[1:]
uid = os.geteuid()
libc = __import__("ctypes").CDLL(None)
assert libc.unshare(0x20020000 | (0x10000000 if uid else 0)) == 0
if uid:
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {os.getegid()} 1")):
        open(f"/proc/self/{name}", "w").write(text)
child = os.fork()
if child:
    os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
assert libc.mount(b"none", b"/", None, 0x4000 | 1 << 18, None) == 0
os.mkdir(f"{jail}/proc")
assert libc.mount(b"proc", f"{jail}/proc".encode(), b"proc", 0, None) == 0
if way == "descriptor":
    os.open("/", os.O_RDONLY)
if not (inside := os.fork()):
    os.chroot(jail)
    os.chdir("/")
    sys.argv = ["attack", way, secret]
    exec(attack)
    os._exit(0)
os.waitpid(inside, 0)
"""
WAYS = ("descriptor", "nested", "trace", "device", "proc", "mount")


@pytest.fixture
def secret(tmp_path: Path) -> str:
    place = tmp_path.resolve() / "secret"
    place.write_text("secret")
    return str(place)


@pytest.mark.parametrize("way", [way for way in WAYS if way != "device" or os.geteuid() == 0])
def test_the_way_leads_out_of_a_plain_chroot(way: str, secret: str, tmp_path: Path) -> None:
    jail = tmp_path / "jail"
    jail.mkdir()
    argv = [sys.executable, "-I", "-c", PLAIN, way, secret, str(jail), ATTACK]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout == "OUT\n", done.stderr


@pytest.mark.parametrize("way", WAYS)
def test_the_way_does_not_lead_out_of_a_sandbox(way: str, secret: str, chroot: Driver, tmp_path: Path) -> None:
    left_open = os.open("/", os.O_RDONLY)
    os.set_inheritable(left_open, True)  # noqa: FBT003 - positional only
    try:
        with Scene() as scene:
            (tmp_path / "home").mkdir(mode=0o700)
            sandbox = chroot.open(scene.spec(), tmp_path / "home")
            command = Command(argv=("/usr/bin/python3", "-I", "-c", ATTACK, way, secret))
            status = sandbox.spawn(command, Stdio()).wait(30)
    finally:
        os.close(left_open)
    assert status is not None
    assert status.stdout.data.startswith(b"still in"), (status.stdout.data, status.stderr.data)
