"""Set-uid and set-gid bits: no call puts them on a file, where an unfiltered kernel lets most of them."""

import errno
import functools
import json

import pytest

from .support import PYTHON, ask, confined, number

# Every road there is to a mode. The calls are made raw, because libraries clear bits or flags on the way.
ROADS = """
import ctypes, errno, json, os, platform, stat, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
numbers = json.loads(sys.argv[1])
os.umask(0)
found = {}
def path(name):
    return os.path.join(os.environ["TMPDIR"], name.replace(" ", "-")).encode()
def call(name, *arguments):
    ctypes.set_errno(0)
    values = [ctypes.c_ulong(a & (1 << 64) - 1) if isinstance(a, int) else ctypes.c_char_p(a) for a in arguments]
    result = libc.syscall(ctypes.c_ulong(numbers[name]), *values)
    return errno.errorcode[ctypes.get_errno()] if result == -1 else "done"
def road(name, make, before=True):
    if before:
        os.close(os.open(path(name), os.O_CREAT | os.O_WRONLY, 0o755))
    answer = make(path(name))
    mode = os.stat(path(name)).st_mode if os.path.exists(path(name)) else 0
    found[name] = [answer, oct(mode & 0o6000)]
HERE, CREATE, ABOVE = -100, os.O_CREAT | os.O_WRONLY, 1 << 32
def through_tmpfile(p, mode):
    descriptor = libc.syscall(ctypes.c_ulong(numbers["openat"]), HERE, ctypes.c_char_p(os.path.dirname(p)),
                              ctypes.c_ulong(0o20200000 | os.O_WRONLY), ctypes.c_ulong(mode))
    if descriptor < 0:
        return errno.errorcode[ctypes.get_errno()]
    linked = libc.linkat(HERE, f"/proc/self/fd/{descriptor}".encode(), HERE, p, 0x400)  # AT_SYMLINK_FOLLOW
    return "done" if linked == 0 else errno.errorcode[ctypes.get_errno()]
for bits, label in ((0o4000, "uid"), (0o2000, "gid")):
    mode = bits | 0o755
    if "chmod" in numbers:
        road(f"chmod {label}", lambda p: call("chmod", p, mode))
        road(f"open {label}", lambda p: call("open", p, CREATE, mode), before=False)
        road(f"creat {label}", lambda p: call("creat", p, mode), before=False)
        road(f"mknod {label}", lambda p: call("mknod", p, stat.S_IFREG | mode, 0), before=False)
    road(f"chmod with bits above {label}", lambda p: call("fchmodat", HERE, p, ABOVE | mode))
    road(f"fchmodat {label}", lambda p: call("fchmodat", HERE, p, mode))
    road(f"fchmodat2 {label}", lambda p: call("fchmodat2", HERE, p, mode, 0))
    road(f"fchmod {label}", lambda p: call("fchmod", os.open(p, os.O_RDONLY), mode))
    road(f"openat {label}", lambda p: call("openat", HERE, p, CREATE, mode), before=False)
    road(f"O_TMPFILE {label}", lambda p: through_tmpfile(p, mode), before=False)
    road(f"mknodat {label}", lambda p: call("mknodat", HERE, p, stat.S_IFREG | mode, 0), before=False)
    road(f"openat2 {label}", lambda p: call("openat2", HERE, p, struct.pack("QQQ", CREATE, mode, 0), 24), before=False)
print(json.dumps(found))
"""

CALLS = ("fchmodat", "fchmodat2", "fchmod", "openat", "mknodat", "openat2")
LEGACY = ("chmod", "open", "creat", "mknod")


@functools.cache
def roads(*groups: str) -> dict[str, list[str]]:
    from .support import MACHINE

    numbers = {call: number(call) for call in (*CALLS, *(LEGACY if MACHINE == "x86_64" else ()))}
    done = confined([PYTHON, "-c", ROADS, json.dumps(numbers)], *groups)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_no_road_puts_a_set_id_bit_on_a_file() -> None:
    got = roads("base")
    refusals = {name: ["ENOSYS" if "openat2" in name else "EPERM", "0o0"] for name in got}
    assert got == refusals


def test_every_road_works_without_a_filter() -> None:
    assert {name: answer for name, answer in roads().items() if answer[0] != "done" or answer[1] == "0o0"} == {}


def test_the_group_set_id_opens_the_roads_by_name() -> None:
    got = roads("base", "set-id")
    assert {name for name, answer in got.items() if answer[0] != "done"} == {"openat2 uid", "openat2 gid"}


@pytest.mark.parametrize("kind", [0o020000, 0o060000], ids=["character", "block"])
def test_device_nodes_are_refused(kind: int) -> None:
    probes = {"device": [(number("mknodat"), (1 << 64) - 100, "/run/device", kind | 0o600, 0)]}
    assert ask(probes, "base")["device"] == [(-1, errno.EPERM)]


def test_a_whiteout_which_any_user_may_make_is_refused_because_of_the_filter() -> None:
    probes = {"whiteout": [(number("mknodat"), (1 << 64) - 100, "/run/whiteout", 0o020000, 0)]}
    assert ask(probes, "base")["whiteout"] == [(-1, errno.EPERM)]
    assert ask(probes)["whiteout"] == [(0, 0)]


def test_fifos_sockets_and_ordinary_modes_are_untouched() -> None:
    here = (1 << 64) - 100
    probes = {
        "fifo": [(number("mknodat"), here, "/run/fifo", 0o010000 | 0o644, 0)],
        "socket": [(number("mknodat"), here, "/run/socket", 0o140000 | 0o644, 0)],
        "file": [(number("openat"), here, "/run/file", 0o101, 0o777), (number("fchmod"), {"result": 0}, 0o1777)],
        "reading with garbage for a mode": [(number("openat"), here, "/run", 0, 0o7777)],
    }
    assert {name: rows for name, rows in ask(probes, "base").items() if any(row[1] for row in rows)} == {}
