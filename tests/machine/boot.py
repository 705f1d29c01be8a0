"""Boot a whole machine with systemd and cgroup v2, as an ordinary process: Debian's user-mode Linux.

On a test machine whose cgroups are version 1, or where no user manager runs, nothing else shows what is claimed for
them. Its files are those of this machine, read-only; it has no network, and its memory is its disk.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

HERE = Path(__file__).parent
KERNEL = "/usr/bin/linux.uml"
SYSTEMD = "/lib/systemd/systemd"
Step = tuple[str, str, Sequence[str]]
Result = tuple[int, str, str]


def module() -> str:
    """Give the module for overlays; skips where there is no such machine, which in CI is a failure."""
    found = sorted(Path("/usr/lib/uml/modules").glob("*/kernel/fs/overlayfs/overlay.ko"))
    if found and os.path.exists(KERNEL) and os.path.exists(SYSTEMD):
        return str(found[-1])
    if os.uname().machine != "x86_64":
        pytest.skip("Debian has a user-mode Linux for x86_64 alone")
    if "machine" in os.environ.get("AISBX_REQUIRE", "").split(","):
        pytest.fail("user-mode-linux and systemd should be on this machine and are not")
    pytest.skip("user-mode-linux or systemd is not on this machine")


def boot(folder: Path, steps: Sequence[Step], *, timeout: float = 240) -> Mapping[str, Result]:
    """Boot, take the steps, and give what came of each; AssertionError with the console where they were not all taken.

    `folder` is empty and below no link; `timeout` in seconds is for all of it.
    """
    overlay = module()
    shutil.copy(HERE / "job.py", folder)
    (folder / "steps.json").write_text(json.dumps(steps))
    command = [
        *("sh", "-c", 'ulimit -n "$(ulimit -Hn)"; exec "$@"', "sh"),  # it holds a descriptor for each file in its cache
        *(KERNEL, "mem=1500M", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", f"init={sys.executable}"),
        *("con=null", "con0=null,fd:1", "ssl=null", "console=tty0", "quiet", "loglevel=3"),
        *(f"umid={folder.name}", f"uml_dir={folder}/"),
        *("--", "-I", str(HERE / "init.py"), overlay, str(folder)),
    ]
    environ = {"PATH": "/usr/bin:/bin", "TMPDIR": "/dev/shm"}
    console = folder / "console"
    with console.open("wb") as out:
        process = subprocess.Popen(
            command, env=environ, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            pass
        finally:
            if process.poll() is None:
                os.killpg(process.pid, 9)
            process.wait()
    results = folder / "results.json"
    told: dict[str, Result] = {}
    if results.exists():
        told = {name: tuple(result) for name, result in json.loads(results.read_text()).items()}
    missing = [name for name, _, _ in steps if name not in told]
    assert not missing, f"not taken: {missing}; its console:\n{console.read_text(errors='replace')[-4000:]}"
    return told
