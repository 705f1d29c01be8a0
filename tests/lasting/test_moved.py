"""A workspace that a link leads to since: another sandbox, whose workspace it lies in, may have put it there."""

from collections.abc import Iterator

import pytest

from .conftest import Box


@pytest.fixture
def work(box: Box) -> Iterator[Box]:
    """A sandbox with changes over `outer/inner`, and another directory of that name."""
    for name in ("outer", "victim"):
        (box.project / name / "inner").mkdir(parents=True)
        (box.project / name / "inner/mark").write_text(name)
    box.out("create", "--name", "work", "-p", "shell", "-w", f"{box.project}/outer/inner:cow")
    box.out("exec", "work", "--", "sh", "-c", "echo new > planted")
    yield box
    box("destroy", "--all", "--discard")


def swap(box: Box) -> None:
    (box.project / "outer").rename(box.project / "away")
    (box.project / "outer").symlink_to("victim")


@pytest.mark.parametrize("words", [("apply", "work"), ("diff", "work"), ("fork", "work", "two")])
def test_nothing_is_done_with_what_the_link_leads_to(work: Box, words: tuple[str, ...]) -> None:
    swap(work)
    refused(work, *words)


def test_no_snapshot_is_restored_over_it(work: Box) -> None:
    work.out("snapshot", "create", "work", "one")
    work.out("exec", "work", "--", "sh", "-c", "echo new > later")
    swap(work)
    refused(work, "snapshot", "restore", "work", "one")


def refused(box: Box, *words: str) -> None:
    done = box(*words)
    assert done.returncode == 125, done.stdout
    assert "a link leads" in done.stderr
    assert "victim" not in done.stdout
    assert [file.name for file in (box.project / "victim/inner").iterdir()] == ["mark"]
    assert "two" not in box.out("ls")
