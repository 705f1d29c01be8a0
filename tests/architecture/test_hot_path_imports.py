"""What `aisbx run` imports when its plan is at hand: each module costs start-up, and a sandbox only milliseconds."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

CORE = Path(__file__).parents[2] / "aisbx-core" / "src"
FAST = CORE / "aisbx" / "cli" / "fast.py"
RUN = ["run", "--profile", "shell", "--", "true"]

# Built into the interpreter or one small extension each; nothing of the standard library that is written in Python.
EXTENSIONS = {"_ctypes", "_sha2", "_sha256", "errno", "fcntl", "gc", "marshal", "posix", "resource", "select", "time"}
# The way of an ordinary run, in order; more may come with other options, never with these.
OWN = {
    "aisbx",
    "aisbx.cli.lean",
    "aisbx.plan",
    "aisbx.plan.recall",
    "aisbx.plan.run",
    "aisbx.audit",
    "aisbx.audit.chain",
    "aisbx.audit.jsontext",
    "aisbx.audit.write",
    "aisbx_linux",
    "aisbx_linux.launch",
    "aisbx_linux.assemble",
    "aisbx_linux.bounds",
    "aisbx_linux.cgroup",  # where cgroups can be made
    "aisbx_linux.cgroup.group",
    "aisbx_linux.compose",  # where something lies in the workspace that is held
    "aisbx_linux.cradle",
    "aisbx_linux.ending",
    "aisbx_linux.guard",
    "aisbx_linux.lend",
    "aisbx_linux.sources",
    "aisbx_linux.syscalls",
    "aisbx_linux.rlimits",
    "aisbx_linux.host",
    "aisbx_linux.processes",
    "aisbx_linux.relay",
    "aisbx_linux.wire",
    "aisbx_linux.spawn",
    "aisbx_linux.stage",  # root's sandboxes only
    "aisbx_linux.protect",
    "aisbx_linux.protect.derive",
    "aisbx_linux.protect.folding",
    "aisbx_linux.protect.gitconfig",
    "aisbx_linux.protect.keys",
    "aisbx_linux.protect.look",
    "aisbx_linux.protect.names",
    "aisbx_linux.protect.quarantine",
    "aisbx_linux.protect.reconcile",
    "aisbx_linux.protect.remember",
    "aisbx_linux.protect.repair",
    "aisbx_linux.protect.scan",
    "aisbx_linux.protect.settle",
    "aisbx_linux.protect.tree",
    "aisbx_linux.protect.undo",
    "aisbx_linux.protect.walk",
}
# What a command of a sandbox that lasts has beside these.
JOINING = {
    "aisbx_linux.lasting",
    "aisbx_linux.lasting.bounds",
    "aisbx_linux.lasting.command",
    "aisbx_linux.lasting.identity",
    "aisbx_linux.lasting.join",
    "aisbx_linux.lasting.pause",
    "aisbx_linux.lasting.wires",
    "termios",
    *("_socket", "aisbx_linux.message", "aisbx_linux.watching"),  # where it is watched
    *("aisbx_linux.watching.hand", "aisbx_linux.watching.notify"),
}
# The lean front ends with `_exit`, which is where to look: also at what an entry's kept code brought in.
PROBE = """
import sys, posix
end = posix._exit
report = int(sys.argv.pop(1))
def tell(code):
    searched = [f"searched:{directory}" for directory in sys.path_importer_cache]
    try:
        posix.write(report, "\\n".join([*sorted(sys.modules), *searched, ""]).encode())
    except OSError:
        pass  # a forked child of the launcher, which has closed what is not its own
    end(code)
posix._exit = tell
__file__ = sys.argv.pop(1)
with open(__file__, encoding="utf-8") as file:
    door = compile(file.read(), __file__, "exec")
exec(door)
"""

pytestmark = pytest.mark.skipif(
    shutil.which("bwrap") is None and "bwrap" not in os.environ.get("AISBX_REQUIRE", "").split(","),
    reason="bubblewrap is not installed",
)


class Bench:
    """A home and a project in which `aisbx` runs."""

    def __init__(self, directory: Path) -> None:
        self.home = directory / "home"
        self.project = self.home / "project"
        self.project.mkdir(parents=True)
        for path in (self.home, self.project):
            path.chmod(0o755)
        self.environ = {"HOME": str(self.home), "PATH": os.defpath, "LANG": "C.UTF-8"}

    def python(self, *arguments: str, pass_fds: tuple[int, ...] = ()) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [sys.executable, "-I", "-S", *arguments],
            cwd=self.project,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            pass_fds=pass_fds,
        )
        assert done.returncode == 0, done.stderr
        return done

    def modules(self, *arguments: str) -> set[str]:
        """Give what is in `sys.modules` when the run ends, and each directory that was searched (`searched:PATH`)."""
        path = self.home / "modules"
        with path.open("wb") as file:
            self.python("-c", PROBE, str(file.fileno()), str(FAST), *(arguments or RUN), pass_fds=(file.fileno(),))
        return set(path.read_text().split())

    def imports(self) -> set[str]:
        """Give what the command, started as users start it, imports by itself (`python -X importtime`)."""
        lines = self.python("-X", "importtime", str(FAST), *RUN).stderr.splitlines()
        return {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")} - {
            "imported package"
        }


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def at_start(bench: Bench) -> set[str]:
    """Give what any Python has imported before its first line."""
    return set(
        json.loads(bench.python("-c", "import sys\nprint(str(sorted(sys.modules)).replace(chr(39), chr(34)))").stdout)
    )


def test_a_run_whose_plan_is_at_hand_imports_only_what_is_listed_here(bench: Bench) -> None:
    first = bench.modules()
    assert "aisbx.cli.perform" in first, "the first run must go the full way, which writes the plan"
    assert "typer" not in first, "options that the lean front has read are not read again"
    second = bench.modules()
    assert "aisbx.cli.perform" not in second, "the plan of the first run was not used"
    found = {name for name in second if not name.startswith("searched:")}
    assert sorted(found - at_start(bench) - EXTENSIONS - OWN) == []


def test_a_command_of_a_lasting_sandbox_imports_only_what_is_listed_here(bench: Bench) -> None:
    bench.python(str(FAST), "create", "--name", "work", "--profile", "shell")
    try:
        seen = bench.modules("exec", "work", "--", "true")
    finally:
        bench.python(str(FAST), "destroy", "work")
    assert f"searched:{CORE}" not in seen, "what a plan needs is loaded from where the plan says"
    found = {name for name in seen if not name.startswith("searched:")}
    assert sorted(found - at_start(bench) - EXTENSIONS - OWN - JOINING) == []
    assert sorted(JOINING - found) == []


def test_a_run_whose_plan_is_at_hand_looks_for_no_module(bench: Bench) -> None:
    assert f"searched:{CORE}" in bench.modules(), "the first run looks for modules, so that the probe sees it"
    bench.modules()  # its look at the workspace is too young to be kept by the first
    time.sleep(0.1)
    searched = {name.removeprefix("searched:") for name in bench.modules() if name.startswith("searched:")}
    none = bench.python("-c", "import sys\nprint(*sys.path_importer_cache, sep=chr(10))").stdout.split("\n")
    assert sorted(searched - set(none)) == [], "what a plan needs is loaded from where the plan says"


def test_the_command_as_users_start_it_imports_only_what_is_listed_here(bench: Bench) -> None:
    assert "pluggy" in bench.imports(), "the first run must go the full way, which loads the driver"
    second = bench.imports()
    assert "pluggy" not in second
    assert sorted(second - at_start(bench) - EXTENSIONS - OWN) == []


def test_the_list_holds_no_module_that_is_never_imported(bench: Bench) -> None:
    bench.modules()
    seen = bench.modules()
    # `stage` makes root's sandboxes another user's, `cgroup` is for who can make one; the others read a workspace that
    # changed, or undo what was planted.
    protect = (
        "derive",
        "folding",
        "gitconfig",
        "keys",
        "look",
        "names",
        "quarantine",
        "reconcile",
        "remember",
        "repair",
        "tree",
        "undo",
        "walk",
    )
    cgroup = {"aisbx_linux.cgroup", "aisbx_linux.cgroup.group"}
    sometimes = {"aisbx_linux.stage", *cgroup, *(f"aisbx_linux.protect.{name}" for name in protect)}
    assert sorted(OWN - seen - sometimes) == []
