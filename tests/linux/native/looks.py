"""A workspace that the compiled front looks at, and how it is asked."""

import os
import subprocess
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aisbx_linux.protect.remember import store
from aisbx_linux.protect.scan import RACY, compare, recall, scan

Same = Callable[[], bool]
COMMIT = ("-c", "user.name=x", "-c", "user.email=x@example.org", "commit")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository that is old enough to be believed."""
    work = tmp_path_factory.mktemp("model") / "work"
    (work / "a" / "b").mkdir(parents=True)
    (work / os.fsdecode(b"\xff\xc3\xbc") / "c").mkdir(parents=True)
    (work / "a" / ".envrc").write_text("x")
    (work / "a" / "plain").write_text("x")
    subprocess.run(["git", "init", "-q", str(work)], check=True)
    subprocess.run(["git", "-C", str(work), *COMMIT, "-qm", "x", "--allow-empty"], check=True)
    subprocess.run(["mkfifo", str(work / "a" / "pipe")], check=True)
    time.sleep(RACY / 1e9 + 0.1)
    return work


@pytest.fixture
def known(model: Path, tmp_path: Path) -> Path:
    """What is known of it."""
    cache = tmp_path / "scan"
    scan(str(model), str(cache))
    return cache


@contextmanager
def looking(pieces: str, cache: Path, work: Path) -> Generator[tuple[str, Same]]:
    """Have C look: what it is to cover or "no", and a function that has it look again."""
    with subprocess.Popen(
        [pieces, "look", str(cache), str(work)],
        env={"ASAN_OPTIONS": "detect_leaks=0"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        write, read = process.stdin, process.stdout

        def again() -> bool:
            write.write("\n")
            write.flush()
            return read.readline() == "same\n"

        yield read.readline().rstrip("\n"), again
    assert process.returncode == 0


def python(work: Path, cache: Path) -> bool:
    state = recall(str(work), str(cache))
    return state is not None and compare(state) is None


def known_before(model: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Copy the model to a workspace of its own, known as if nothing of it were new; gives it and the cache."""
    work, cache = tmp_path / "work", tmp_path / "scan"
    subprocess.run(["cp", "-a", str(model), str(work)], check=True)
    (tmp_path / "gitconfig").write_text("")
    state = scan(str(work))
    # Known as if nothing of it were new: what a run must see is a change of the moment just after.
    state.cache = str(cache)
    for path, known in state.dirs.items():
        state.dirs[path] = (*known[:2], os.lstat(path).st_ctime_ns, known[3])
    state.files = {path: state.stamp(path) for path in state.files}
    state.others = {str(tmp_path / "gitconfig"): state.stamp(str(tmp_path / "gitconfig")), str(tmp_path / "none"): None}
    store(state)
    assert python(work, cache)
    return work, cache
