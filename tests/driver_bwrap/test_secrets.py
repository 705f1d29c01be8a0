"""Attacks on secrets: their bytes are where they were asked for, and nowhere else that anybody could look."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FILE, VARIABLE = f"file-{os.urandom(8).hex()}", f"variable-{os.urandom(8).hex()}"
"""Two values, so that it shows which of them is where."""
SHOW = 'rev /run/secrets/token; echo; echo "$T" | rev; '
"""Shown reversed: what a command prints is kept, and is its own affair."""


class Place:
    def __init__(self, root: Path) -> None:
        self.home, self.project, self.source = root / "home", root / "project", root / "source"
        for directory in (self.home, self.project, self.source):
            directory.mkdir(mode=0o700)
        self.put("token", FILE)
        self.put("variable", VARIABLE)
        self.env = {
            "HOME": str(self.home),
            "PATH": "/usr/bin:/bin",
            "AISBX_SECRET_SETTINGS__FILE__DIRECTORY": str(self.source),
            "AISBX_SECRET_STORE": "file",
        }

    def put(self, name: str, value: str) -> None:
        (self.source / name).write_text(value)
        (self.source / name).chmod(0o600)

    def start(self, *words: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-I", "-m", "aisbx", *words],
            cwd=self.project,
            env=self.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def __call__(self, *words: str, code: int = 0) -> str:
        process = self.start(*words)
        printed = process.communicate("", timeout=60)[0]
        assert process.returncode == code, printed
        return printed

    def kept(self, value: str) -> list[Path]:
        """Every file of aisbx's, and of the workspace, with a value in it."""
        files = [path for root in (self.home, self.project) for path in root.rglob("*") if path.is_file()]
        assert files
        return [path for path in files if value.encode() in path.read_bytes()]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("secrets"))


def processes(what: str, value: str) -> list[int]:
    """Every process of this machine with a value in its `cmdline` or `environ`, as far as we may look."""
    found: list[int] = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            data = Path("/proc", entry, what).read_bytes()
        except OSError:
            continue
        if value.encode() in data:
            found.append(int(entry))
    return found


def inside(pid: int) -> bool:
    """Whether a process is in a PID namespace of its own, and not its first one."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("NSpid:"))
    numbers = line.split()[1:]
    return len(numbers) > 1 and numbers[-1] != "1"


@pytest.fixture
def control() -> None:
    """What is looked for is found where it is: else the searches below would prove nothing."""
    process = subprocess.Popen(["/bin/sleep", "60"], env={"X": FILE}, stdin=subprocess.DEVNULL)
    other = subprocess.Popen(["/bin/sh", "-c", "read x", FILE], stdin=subprocess.PIPE)
    try:
        assert process.pid in processes("environ", FILE)
        assert other.pid in processes("cmdline", FILE)
    finally:
        for each in (process, other):
            each.kill()
            each.communicate()


@pytest.mark.usefixtures("control")
def test_while_a_command_runs_its_secrets_are_in_no_command_line_and_no_environment_but_its_own(place: Place) -> None:
    secrets = ["--secret", "token", "--secret", "variable,type=env,target=T"]
    script = (
        SHOW
        + "tr '\\0' '\\n' < /proc/1/environ; cat /proc/*/cmdline; echo; ls /proc/self/fd | wc -w; echo ready; read x"
    )
    process = place.start("run", *secrets, "--", "sh", "-c", script)
    assert process.stdout
    said: list[str] = []
    while not said or said[-1] not in {"ready\n", ""}:
        said.append(process.stdout.readline())
    try:
        assert FILE in "".join(said)[::-1]
        assert VARIABLE in "".join(said)[::-1]
        assert FILE not in "".join(said)  # neither in a command line inside, nor in the environment of its PID 1
        assert VARIABLE not in "".join(said)
        assert not processes("cmdline", FILE)
        assert not processes("cmdline", VARIABLE)
        assert not processes("environ", FILE)
        having = processes("environ", VARIABLE)
        assert having
        assert all(inside(pid) for pid in having)
        limits = Path(f"/proc/{process.pid}/limits").read_text()
        assert next(line for line in limits.splitlines() if "core file" in line).split()[4] in {"0", "1"}
    finally:
        process.communicate("\n", timeout=30)
    assert process.returncode == 0
    assert not place.kept(FILE)
    assert not place.kept(VARIABLE)
    record = json.loads((place.home / ".local/state/aisbx/audit.jsonl").read_text().splitlines()[-1])
    assert record["secrets"] == ["file:token", "file:variable"]


def test_a_secret_lies_on_a_tmpfs_and_only_its_user_can_read_it_and_nobody_change_it(place: Place) -> None:
    script = (
        "stat -c '%a %U' /run/secrets/token /run/secrets; id -un; stat -f -c %T /run/secrets;"
        "chmod 777 /run/secrets/token; rm -f /run/secrets/token; echo x > /run/secrets/token; rev /run/secrets/token"
    )
    lines = place("run", "--secret", "token", "--", "sh", "-c", f"{{ {script}; }} 2>/dev/null").splitlines()
    user = lines[2]
    assert lines[:2] == [f"400 {user}", f"500 {user}"]
    assert lines[3:] == ["tmpfs", FILE[::-1]]


def test_no_plan_is_kept_and_a_changed_value_is_given_at_once(place: Place) -> None:
    plans = place.home / ".cache/aisbx/plans"
    before = set(plans.iterdir())
    show = ("run", "--secret", "token,target=key", "--", "rev", "/run/secrets/key")
    assert place(*show)[::-1] == FILE
    place.put("token", f"new-{FILE}")
    try:
        assert place(*show)[::-1] == f"new-{FILE}"
    finally:
        place.put("token", FILE)
    assert set(plans.iterdir()) == before
    place("run", "--", "true")
    assert set(plans.iterdir()) > before, "no plan is kept of anything, so this proves nothing"


def test_a_dry_run_names_secrets_and_asks_no_store(place: Place) -> None:
    printed = place(
        "run", "--dry-run", "--json", "--secret", "token", "--secret", "nowhere,type=env,target=X", "--", "true"
    )
    assert FILE not in printed
    assert [row["name"] for row in json.loads(printed)["spec"]["secrets"]] == ["token", "nowhere"]


def test_a_sandbox_that_lasts_has_files_from_its_start_and_variables_with_each_command(place: Place) -> None:
    place("create", "--name", "box", "-w", ".:cow", "--secret", "token")
    try:
        variable = ("--secret", "variable,type=env,target=T")
        assert place("exec", "box", *variable, "--", "sh", "-c", SHOW)[::-1].split() == [VARIABLE, FILE]
        assert place("exec", "box", "--", "sh", "-c", 'echo "[$T]"') == "[]\n"
        place("exec", "box", "-d", *variable, "--", "sh", "-c", 'test -n "$T"; sleep 30')
        place("fork", "box", "other")
        assert place("exec", "other", "--", "rev", "/run/secrets/token")[::-1] == FILE
        assert not place.kept(FILE)
        assert not place.kept(VARIABLE)
        assert not processes("cmdline", FILE)
        assert not processes("environ", FILE)
        assert all(inside(pid) for pid in processes("environ", VARIABLE))
        said = place("exec", "box", "--secret", "token", "--", "true", code=125)
        assert "files are given when a sandbox is made" in said
    finally:
        place("destroy", "--discard", "box", "other")


def test_what_could_not_be_given_is_refused_before_anything_runs(place: Place) -> None:
    inner = ("--mount", f"{place.project}:/run/secrets")
    assert "is mounted where secrets are" in place("run", "--secret", "token", *inner, "--", "true", code=125)
    assert "cannot be read: No such file" in place("run", "--secret", "nope", "--", "touch", "ran", code=125)
    assert "no secrets called 'acme'" in place("run", "--secret", "acme:x", "--", "touch", "ran", code=125)
    said = place("create", "--secret", "variable,type=env,target=T", code=125)
    assert "is given with each command" in said
    assert not (place.project / "ran").exists()
