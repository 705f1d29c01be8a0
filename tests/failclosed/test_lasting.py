"""A sandbox that lasts, on a disk that is full or read-only later: one line each, no traceback, and it can be ended."""

import json
import os

import pytest

from .conftest import FAST, PYTHON, Place

SCRIPT = """
import ctypes, json, os, subprocess, sys
from aisbx import Sandbox
from aisbx.errors import AisbxError

front = json.loads(sys.argv[2])
state = os.path.expanduser("~/.local/state/aisbx")
libc = ctypes.CDLL(None, use_errno=True)
box = Sandbox.create("work", idle_ttl=3600)
box.exec(["true"], check=True)
if sys.argv[1] == "full":
    with open(state + "/fill", "wb", buffering=0) as fill:
        try:
            while True:
                fill.write(b"x" * 4096)
        except OSError:
            pass
elif os.geteuid() == 0:
    libc.mount(state.encode(), state.encode(), None, 0x1000, None)  # MS_BIND, then with MS_REMOUNT and MS_RDONLY
    assert libc.mount(b"none", state.encode(), None, 0x1000 | 0x20 | 1, None) == 0
else:
    closed = [(path, os.stat(path).st_mode) for path in (place for place, _, _ in os.walk(state))]
    closed += [(name, os.stat(name).st_mode) for name in (state + "/audit.jsonl", state + "/audit.reserve")]
    closed += [(name, 0o600) for name in (state + "/sandboxes/work/home/used", state + "/sandboxes/work/home/paused")]
    for path, mode in closed:
        os.chmod(path, mode & 0o555)

def told(work):
    try:
        work()
    except AisbxError as error:
        return f"{error.code}: {error.message}"
    return ""

came = {
    "exec": told(lambda: box.exec(["true"])),
    "start": told(lambda: box.start(["true"]).wait()),
    "create": told(lambda: Sandbox.create("other")),
    "write": told(lambda: box.files.write("/tmp/x", "x")),
    "pause": told(lambda: (box.pause(), box.resume())),
    "state": Sandbox.list()[0].state,
    "lean": subprocess.run([*front, "exec", "work", "--", "true"], capture_output=True).stderr.decode(),
    "destroy": told(box.destroy),
}
if sys.argv[1] == "full":
    os.unlink(state + "/fill")
elif os.geteuid() != 0:
    for path, mode in closed:
        os.chmod(path, mode)
else:
    os.chdir("/")
    libc.umount2(state.encode(), 2)
for name in Sandbox.names():
    Sandbox.attach(name).destroy() if came["destroy"] == "" else told(lambda: Sandbox.attach(name))
came["ended"] = [one.state for one in Sandbox.list()]
print(json.dumps(came))
"""


@pytest.mark.parametrize("trouble", ["full", "read-only"])
def test_trouble_with_the_state_is_one_line_and_ends_nothing_early(place: Place, trouble: str) -> None:
    place.state.mkdir(parents=True, mode=0o700)
    world = ("covered", str(place.state), "0", "mode=0700,size=4m")
    front = json.dumps([*PYTHON, "-S", FAST])
    done = place.enter(world, [*PYTHON, "-c", SCRIPT, trouble, front])
    assert done.returncode == 0, done.stderr
    came = json.loads(done.stdout)
    assert came.pop("state") == "running"
    assert all("Errno" not in str(line) for line in came.values()), came
    if trouble == "full":  # the reserve takes the records: what is there goes on and can be ended, nothing new begins
        assert "No space left on device" in came.pop("create")
        for refused in ("pause", "write", "start"):  # these need a few bytes of their own
            assert came[refused] == "" or "No space left" in came.pop(refused), came
        assert not any(came.values()), came
        return
    assert came.pop("ended") == ["ended"]
    assert came.pop("lean").count("\n") == 1
    why = "Read-only file system" if os.geteuid() == 0 else "Permission denied"
    assert all(why in line for line in came.values()), came
    assert came["destroy"].startswith("state: ")
