"""`aisbx init --rootfs` and what uses it, as they are typed."""

import subprocess
import sys
from pathlib import Path

import pytest

AISBX = Path(sys.executable).parent / "aisbx"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home/project").mkdir(parents=True)
    return tmp_path / "home"


def typed(home: Path, *argv: str) -> tuple[int, str, str]:
    environ = {"HOME": str(home), "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
    done = subprocess.run(
        [AISBX, *argv],
        cwd=home / "project",
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_a_root_is_made_once_from_one_origin_and_named_by_command_and_profile(home: Path, system: str) -> None:
    archive = home / "system.tar"
    archive.write_bytes(Path(system.removeprefix("tar:")).read_bytes())
    root, origin = str(home / "roots/small"), f"tar:{archive}"
    code, out, err = typed(home, "init", "--rootfs", root, "--from", origin)
    assert (code, f"made {root}" in out + err) == (0, True), err
    for _ in range(2):
        code, out, err = typed(home, "init", "--rootfs", root, "--from", origin)
        assert (code, "is there already, made from" in out + err) == (0, True), err
        archive.unlink(missing_ok=True)
    code, _, err = typed(home, "init", "--rootfs", root, "--from", "host")
    assert (code, err.count("\n"), "was made from tar:" in err) == (125, 1, True), err
    code, _, err = typed(home, "init", "--rootfs", root, "--from", f"tar:{home}/another.tar")
    assert (code, err.count("\n"), "was made from tar:" in err) == (125, 1, True), err
    code, _, err = typed(home, "init", "--rootfs", f"{root}2", "--from", origin)
    assert (code, err.count("\n"), "cannot be read: No such file" in err) == (125, 1, True), err
    code, _, err = typed(home, "init", "--rootfs", f"{root}2", "--from", "moon")
    assert (code, err.count("\n"), "'moon' is no origin" in err) == (125, 1, True), err
    assert [path.name for path in (home / "roots").iterdir()] == ["small"]
    assert typed(home, "run", "--rootfs", root, "--", "cat", "/etc/ssl/certs/ours")[0] == 0
    profiles = home / ".config/aisbx/profiles"
    profiles.mkdir(parents=True)
    (profiles / "small.yaml").write_text(f"description: another system\nextends: base\nrootfs: {root}\n")
    code, out, err = typed(home, "run", "-p", "small", "--", "cat", "/etc/ssl/certs/ours")
    assert (code, bool(out)) == (0, True), err
