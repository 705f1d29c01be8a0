"""Which caches a rule takes, and what holds them: a run that begins while caches are removed loses none."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from aisbx.caches import prune as module
from aisbx.caches.inventory import Cache, inventory
from aisbx.caches.owner import Owner, note_owner
from aisbx.caches.prune import Rule, prune
from aisbx.caches.tree import Size
from aisbx.caches.use import in_use
from aisbx.errors import StateError
from aisbx.paths import ensure_private

NOW = 1_000_000.0


def cache(name: str, size: int, age: float, *, project: str = "/p", in_use: bool = False, gone: bool = False) -> Cache:
    owner = Owner(project, 1, 1, 1, 1, ("go-dev",))
    return Cache(Path(name), owner, Size(size), NOW - age, in_use, gone)


CACHES = [
    cache("old", 100, 50, project="/a"),
    cache("busy", 100, 40, in_use=True, project="/a"),
    cache("gone", 100, 5, gone=True, project="/b"),
    cache("new", 100, 1, project="/c"),
]


@pytest.mark.parametrize(
    ("rule", "names"),
    [
        (Rule(), ["gone"]),
        (Rule(everything=True), ["old", "busy", "gone", "new"]),
        (Rule(unused=5), ["old", "busy", "gone"]),
        (Rule(keep=400), []),
        (Rule(keep=399), ["gone"]),
        (Rule(keep=299), ["gone", "old"]),
        (Rule(keep=1), ["gone", "old", "new"]),
        (Rule(unused=45, keep=200), ["old", "gone"]),
        (Rule(frozenset({"/a"})), ["old", "busy"]),
        (Rule(frozenset({"/a"}), unused=45), ["old"]),
        (Rule(frozenset({"/c"}), keep=100), []),
    ],
)
def test_a_rule_takes_these(rule: Rule, names: list[str]) -> None:
    assert [found.path.name for found in rule.choose(CACHES, NOW)] == names


def test_a_cache_of_nobody_known_is_taken_by_age_and_by_all_only() -> None:
    unknown = [Cache(Path("u"), None, Size(1), NOW - 10, in_use=False, gone=False)]
    assert Rule().choose(unknown, NOW) == Rule(frozenset({"/p"})).choose(unknown, NOW) == []
    assert Rule(unused=1).choose(unknown, NOW) == Rule(everything=True).choose(unknown, NOW) == unknown


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = ensure_private(tmp_path / "aisbx")
    (tmp_path / "project").mkdir()
    found = (tmp_path / "project").stat()
    for name in ("a" * 32, "b" * 32):
        (root / "projects" / name / "below").mkdir(parents=True)
        owner = Owner(str(tmp_path / "project"), found.st_dev, found.st_ino, found.st_uid, found.st_gid, (name[0],))
        note_owner(root, name, owner)
    return root


def test_cache_and_note_are_removed_and_the_others_stay(root: Path) -> None:
    first, second = inventory(root, ())
    done = prune(root, [first])
    assert (done.removed, done.in_use) == ((first,), ())
    assert os.listdir(root / "projects") == os.listdir(root / "owners") == [second.path.name]
    assert os.listdir(root / "pruned") == []


def test_a_cache_that_a_process_opens_after_the_look_is_put_back(root: Path) -> None:
    first, second = inventory(root, ())
    ready = root / "ready"
    script = 'exec 3<"$0"; : > "$1"; read line'
    holder = subprocess.Popen(["sh", "-c", script, first.path / "below", ready], stdin=subprocess.PIPE)
    try:
        while not ready.exists():
            assert holder.poll() is None
        done = prune(root, [first, second])
        assert (done.removed, done.in_use) == ((second,), (first,))
        assert (first.path / "below").is_dir()
        assert os.listdir(root / "owners") == [first.path.name]
    finally:
        holder.communicate(b"\n")
    assert prune(root, [first]).removed == (first,)


def test_what_an_earlier_one_left_is_removed_by_the_next(root: Path) -> None:
    (root / "pruned" / "left" / "over").mkdir(parents=True)
    (root / "pruned" / "file").write_text("")
    prune(root, [])
    assert os.listdir(root / "pruned") == []
    assert len(os.listdir(root / "projects")) == 2


def test_a_run_that_made_a_new_cache_meanwhile_keeps_it_and_its_note(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = inventory(root, ())

    def meanwhile(folder: Path) -> frozenset[str]:
        assert folder == root / "pruned"
        first.path.mkdir()
        return frozenset()

    monkeypatch.setattr(module, "in_use", meanwhile)
    prune(root, [first])
    assert first.path.is_dir()
    assert (root / "owners" / first.path.name).exists()


def test_where_nothing_can_be_seen_nothing_is_removed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    caches = inventory(root, ())

    def hidden(process: str) -> Iterator[tuple[str, str, str]]:
        raise FileNotFoundError(process)

    monkeypatch.setattr("aisbx.caches.use._lines", hidden)
    with pytest.raises(StateError, match="no /proc"):
        prune(root, caches)
    with pytest.raises(StateError, match="no /proc"):
        inventory(root, ())
    assert len(os.listdir(root / "projects")) == len(os.listdir(root / "owners")) == 2


def test_a_link_where_the_caches_or_the_place_aside_should_be_is_refused(root: Path, tmp_path: Path) -> None:
    caches = inventory(root, ())
    (tmp_path / "elsewhere").mkdir()
    (root / "pruned").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StateError, match="not a directory of its own"):
        prune(root, caches)
    (root / "projects").rename(root / "was")
    (root / "projects").symlink_to(root / "was")
    with pytest.raises(StateError, match="not a directory of its own"):
        inventory(root, ())
    assert len(os.listdir(root / "was")) == 2


def test_a_project_that_moved_or_was_replaced_is_gone(root: Path, tmp_path: Path) -> None:
    assert [each.state for each in inventory(root, ())] == ["kept", "kept"]
    (tmp_path / "project").rename(tmp_path / "moved")
    assert [each.state for each in inventory(root, ())] == ["gone", "gone"]
    (tmp_path / "project").mkdir()
    assert [each.state for each in inventory(root, ())] == ["gone", "gone"]


@pytest.mark.parametrize("note", [b"", b"{", b"[]", b'{"workspace": 3}', b"[" * 100_000, b"x" * (2 << 20)])
def test_a_note_that_says_nothing_makes_a_cache_of_nobody_known(root: Path, note: bytes) -> None:
    for path in (root / "owners").iterdir():
        path.write_bytes(note)
    assert [(each.state, each.owner) for each in inventory(root, ())] == [("unknown", None)] * 2


def test_a_mount_of_a_cache_counts_also_below_it_and_one_of_the_same_name_elsewhere_does_not(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lines(process: str) -> Iterator[tuple[str, str, str]]:
        yield "8:1", "/", "/"
        if process != "self":
            yield "8:1", f"{root}/projects/{'a' * 32}/below", "/mnt"
            yield "8:2", f"{root}/projects/{'b' * 32}", "/var/cache"
            yield "8:1", f"/elsewhere/projects/{'b' * 32}", "/var/cache"

    monkeypatch.setattr("aisbx.caches.use._lines", lines)
    assert in_use(root / "projects") == {"a" * 32}


def test_a_cache_on_a_mount_is_known_by_where_it_lies_on_its_file_system(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lines(process: str) -> Iterator[tuple[str, str, str]]:
        yield "8:1", "/", "/"
        yield "8:3", "/@home", str(root.parent)
        if process != "self":
            yield "8:3", f"/@home/aisbx/projects/{'a' * 32}", "/var/cache"

    monkeypatch.setattr("aisbx.caches.use._lines", lines)
    assert in_use(root / "projects") == {"a" * 32}
