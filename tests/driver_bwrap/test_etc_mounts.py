"""A mount below /etc, which is made up and read-only: its place is made with the rest, and never on the host."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from aisbx.doctor import SAMPLE
from aisbx.errors import UsageError
from aisbx.types import Mount
from aisbx_linux.local import etc
from aisbx_linux.local.tree import materialise


@pytest.fixture
def run(tmp_path: Path) -> "Run":
    return Run(tmp_path)


class Run:
    def __init__(self, place: Path) -> None:
        self.home, self.project = place / "home", place / "project"
        self.home.mkdir()
        self.project.mkdir()

    def __call__(self, mounts: list[str], *command: str) -> subprocess.CompletedProcess[str]:
        options = [word for mount in mounts for word in ("--mount", mount)]
        return subprocess.run(
            [sys.executable, "-I", "-m", "aisbx", "run", *options, "--", *command],
            cwd=self.project,
            env={"HOME": str(self.home), "PATH": "/usr/bin:/bin"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


def test_directories_and_files_can_be_shown_below_etc(run: Run) -> None:
    data = run.home / "data"
    data.mkdir()
    (data / "inner").write_text("mine\n")
    done = run([f"{data}:/etc/app/conf.d", f"{data}/inner:/etc/hosts"], "cat", "/etc/app/conf.d/inner", "/etc/hosts")
    assert (done.returncode, done.stdout) == (0, "mine\nmine\n"), done.stderr
    assert run([], "test", "-e", "/etc/app").returncode == 1


def test_no_place_is_made_where_a_link_of_etc_leads(run: Run) -> None:
    (run.home / "data").mkdir()
    link = next(path for path in sorted(Path("/etc/alternatives").iterdir()) if path.is_symlink())
    before = sorted(Path(link).resolve().parent.iterdir())
    done = run([f"{run.home}/data:{link}/planted"], "true")
    assert done.returncode == 125
    assert done.stderr.count("\n") == 1
    assert f"{link} is no directory" in done.stderr
    assert sorted(Path(link).resolve().parent.iterdir()) == before


def test_no_place_is_made_in_a_directory_of_the_host_that_a_link_of_etc_leads_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, data = tmp_path / "host", tmp_path / "data"
    host.mkdir()
    data.mkdir()

    def shared(_path: str, _root: str) -> Iterator[tuple[str, bytes | str]]:
        yield "alternatives/tool", str(host)

    monkeypatch.setattr(etc, "_shared", shared)
    spec = replace(SAMPLE, mounts=(Mount(str(data), "/etc/alternatives/tool/planted", origin="--mount"),))
    with contextlib.suppress(UsageError):
        materialise(etc.content(spec), tmp_path / "cache")
    assert os.listdir(host) == []
    with pytest.raises(UsageError, match="/etc/alternatives/tool is no directory"):
        etc.content(spec)
