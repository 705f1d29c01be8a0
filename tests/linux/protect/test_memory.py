"""What is remembered between runs: quick, and never believed when it could be wrong or another's."""

import hashlib
import json
import marshal
import os
import posix
import subprocess
import sys
import time
from pathlib import Path

import aisbx_linux
import pytest
from aisbx_linux.protect import names
from aisbx_linux.protect import scan as module
from aisbx_linux.protect.scan import State, compare, recall, scan
from aisbx_linux.protect.settle import settle

from tests.linux.protect.conftest import Lab


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "work" / "a" / "b").mkdir(parents=True)
    (tmp_path / "work" / "a" / ".envrc").write_text("x")
    old = time.time() - 60
    os.utime(tmp_path / "work", (old, old))
    return tmp_path


def look_twice(place: Path) -> State:
    """Scan until nothing is too new to be believed."""
    work, cache = str(place / "work"), str(place / "cache")
    scan(work, cache)
    time.sleep(2.1)
    return scan(work, cache)


def test_an_unchanged_tree_is_known_without_reading_a_directory(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    look_twice(place)

    def fail(_: object) -> None:
        raise AssertionError("a directory was read")

    monkeypatch.setattr(posix, "scandir", fail)
    assert scan(str(place / "work"), str(place / "cache")).mounts == [str(place / "work/a/.envrc")]
    with pytest.raises(AssertionError, match="a directory was read"):
        scan(str(place / "work"))


def test_a_directory_that_changed_just_before_it_was_read_is_read_again(place: Path) -> None:
    state = scan(str(place / "work"), str(place / "cache"))
    stale = compare(state)
    assert stale is not None
    assert str(place / "work" / "a") in stale[0]


@pytest.mark.parametrize(
    "change",
    ["touch a/b/.bashrc", "mv a c", "rm -r a/b; mkdir -p a/b; touch a/b/.bashrc", "rm a/.envrc", "git init -q a/b"],
)
def test_a_change_is_seen_wherever_it_is(place: Path, change: str) -> None:
    look_twice(place)
    subprocess.run(["/bin/sh", "-ec", change], cwd=place / "work", check=True)
    work = str(place / "work")
    warm, cold = scan(work, str(place / "cache")), scan(work)
    assert (warm.mounts, warm.pins, warm.items) == (cold.mounts, cold.pins, cold.items)


def test_a_memory_of_another_user_is_not_used(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    look_twice(place)
    assert recall(str(place / "work"), str(place / "cache")) is not None
    monkeypatch.setattr(posix, "geteuid", lambda: os.getuid() + 1)
    assert recall(str(place / "work"), str(place / "cache")) is None


def test_a_memory_that_others_may_write_is_a_link_or_is_damaged_is_not_used(place: Path) -> None:
    cache, work = place / "cache", str(place / "work")
    look_twice(place)
    data = cache.read_bytes()
    assert recall(work, str(cache)) is not None
    cache.chmod(0o620)
    assert recall(work, str(cache)) is None
    cache.chmod(0o600)
    assert recall(work + "/a", str(cache)) is None, "of another workspace"
    cache.rename(place / "elsewhere")
    cache.symlink_to(place / "elsewhere")
    assert recall(work, str(cache)) is None
    cache.unlink()
    (place / "elsewhere").rename(cache)
    for damaged in (
        b"",
        data[: len(data) // 2],
        b"\xff" * 100,
        marshal.dumps(7),
        marshal.dumps((module.FORMAT, work, b"x", b"", ())),
    ):
        cache.write_bytes(damaged)
        cache.chmod(0o600)
        assert recall(work, str(cache)) is None
        assert scan(work, str(cache)).mounts == [work + "/a/.envrc"]


def test_the_file_of_the_memory_is_private_whatever_the_umask(place: Path) -> None:
    before = os.umask(0)
    try:
        scan(str(place / "work"), str(place / "cache"))
    finally:
        os.umask(before)
    assert (place / "cache").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in place.iterdir()) == ["cache", "work"]


def test_a_place_that_cannot_be_written_only_costs_time(place: Path) -> None:
    assert scan(str(place / "work"), str(place / "missing" / "cache")).mounts == [str(place / "work/a/.envrc")]


def test_the_format_is_raised_with_the_table() -> None:
    tables = [
        names.NAMES,
        names.ONLY_BELOW,
        names.SUFFIXES,
        sorted(names.DEPENDENCIES),
        names.REPOSITORY,
        sorted(names.SHAPE),
    ]
    digest = hashlib.sha256(json.dumps(tables).encode()).hexdigest()[:16]
    assert (module.FORMAT, digest) == (9, "3920f943a99f14f1"), (
        "older memories were made with another table: raise scan.FORMAT"
    )


def test_a_file_changed_in_place_within_a_tick_is_seen(place: Path) -> None:
    work = place / "work"
    subprocess.run(["git", "init", "-q", work], check=True)
    config = work / ".git" / "config"
    config.write_text(config.read_text() + "[user]\n\tname = aaaa\n")
    state = scan(str(work))
    with config.open("r+") as file:
        text = file.read().replace("[user]\n\tname", "[core]\n\tpager")
        file.seek(0)
        file.write(text.ljust(len(text)))
    assert any("core.pager" in line for line in settle(str(work), state, str(place / "quarantine")))


def test_what_is_taken_goes_to_another_file_system_whole_or_is_renamed_where_it_is(lab: Lab) -> None:
    other = Path("/dev/shm") / f"aisbx-test-{os.getpid()}"
    assert os.stat("/dev/shm").st_dev != os.stat(lab.base).st_dev
    work = lab.workspace
    state = scan(str(work))
    (work / ".vscode" / "deep").mkdir(parents=True)
    (work / ".vscode" / "deep" / "tasks.json").write_text("evil")
    (work / ".vscode" / "link").symlink_to("/etc/passwd")
    (work / ".idea").mkdir()
    with (work / ".idea" / "large").open("wb") as file:
        file.truncate(65 << 20)
    try:
        lines = settle(str(work), state, str(other))
        kept = next(other.glob("*-.vscode"))
        assert (kept / "deep" / "tasks.json").read_text() == "evil"
        assert os.readlink(kept / "link") == "/etc/passwd"
        assert not list(other.glob("*-.idea"))
        assert sorted(path.name for path in work.iterdir()) == [".idea.quarantined"]
        assert (work / ".idea.quarantined").stat().st_mode & 0o777 == 0o700
        assert any(
            "renamed to .idea.quarantined, because it could not be moved (too much to copy)" in line for line in lines
        )
    finally:
        subprocess.run(["rm", "-rf", other], check=True)


def test_a_quarantine_that_others_can_enter_is_not_used(lab: Lab) -> None:
    work = lab.workspace
    lab.quarantine.mkdir()
    lab.quarantine.chmod(0o755)
    state = scan(str(work))
    (work / ".envrc").write_text("evil")
    (line,) = settle(str(work), state, str(lab.quarantine))
    assert "renamed to .envrc.quarantined" in line
    assert not list(lab.quarantine.iterdir())


def test_only_builtin_modules_are_imported_and_of_ours_only_what_is_needed(place: Path) -> None:
    look_twice(place)
    code = """
import sys
sources, work, cache, quarantine = sys.argv[1:]
sys.path.insert(0, sources)
before = set(sys.modules)
from aisbx_linux.protect.scan import scan
state = scan(work, cache)
warm = set(sys.modules) - before
from aisbx_linux.protect.settle import settle
open(work + "/.bashrc", "w").close()
assert len(settle(work, state, quarantine)) == 1
every = set(sys.modules) - before
import json
print(json.dumps([sorted(warm), sorted(every)]))
"""
    sources = os.path.dirname(os.path.dirname(aisbx_linux.__file__))
    places = [sources, *(str(place / name) for name in ("work", "cache", "quarantine"))]
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code, *places], capture_output=True, text=True, check=True)
    warm, every = json.loads(done.stdout)
    ours = "aisbx_linux.protect"
    assert warm == ["aisbx_linux", ours, f"{ours}.scan"]
    assert {name for name in every if not name.startswith("aisbx_linux")} <= {"errno"}
