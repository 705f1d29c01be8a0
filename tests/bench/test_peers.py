"""The table of peers: who is missing says why, and what is not measured meets no target."""

import subprocess
from pathlib import Path

import pytest

from benchmarks.measure import Sample
from benchmarks.peers import tools
from benchmarks.peers.compare import OURS, WORK, Result, missed, render
from benchmarks.peers.tools import Shop, UnavailableError
from benchmarks.peers.work import TASKS, Task
from benchmarks.world import World

UNCONFINED = {task.name: Sample((1.0, 2.0, 3.0)) for task in TASKS}


def result(name: str, seconds: float) -> Result:
    sample = Sample((seconds,))
    return Result(name, "1", sample, {task.name: sample for task in TASKS})


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    prefix = tmp_path / "prefix"
    prefix.mkdir()
    return Shop(prefix, World(tmp_path, None))


def test_a_target_is_missed_by_what_is_slower_and_by_what_was_not_measured() -> None:
    assert missed([result(OURS, 2.0 * WORK)], UNCONFINED) == []
    assert len(missed([result(OURS, 2.0 * WORK + 0.01)], UNCONFINED)) == len(TASKS)
    assert len(missed([Result(OURS)], UNCONFINED)) == len(TASKS)
    assert missed([result(OURS, 2.0), result("another", 9.0)], UNCONFINED) == [], "others have no target"


def test_the_table_has_a_row_for_each_tool_and_the_reason_why_one_was_not_measured() -> None:
    rows = [result("bubblewrap, bare", 0.5), result(OURS, 1.0), Result("jail", why=["not measured: there is none"])]
    text = render(rows, UNCONFINED, 20)
    (ours,) = [line for line in text.splitlines() if line.startswith(f"| {OURS} ")]
    assert "2.00 / 2.00" in ours, "its start to the bare tool's"
    assert "1.00 / 0.50" in ours, "its work to the same unconfined"
    assert "| jail" in text
    assert "- jail: not measured: there is none" in text


def test_a_tool_that_is_not_on_the_system_says_who_can_change_that_and_how(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere(_: str, path: str = "") -> None:
        del path

    def packaged(*_: object) -> bytes:
        return b"x:\n  Candidate: 1.0\n"

    monkeypatch.setattr(tools.shutil, "which", nowhere)
    monkeypatch.setattr(tools, "_output", packaged)
    with pytest.raises(UnavailableError, match="root can change that: apt-get install firejail"):
        shop.every()["firejail"]()
    with pytest.raises(UnavailableError, match="there is no npm"):
        shop.every()["codex sandbox"]()


def test_an_installation_that_fails_is_one_line_of_its_own_words(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(argv: list[str], **_: object) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.CompletedProcess(argv, 1, b"", b"much\nthe index is out of reach\n")

    monkeypatch.setattr(tools.subprocess, "run", fails)
    with pytest.raises(UnavailableError, match=r"^[a-z.0-9]+: the index is out of reach$"):
        shop.every()["sandlock"]()


def test_a_task_is_done_as_often_as_it_says_and_fails_when_one_of_them_does() -> None:
    done = subprocess.run(Task("count", "echo x", 7).plain, capture_output=True, check=True)
    assert done.stdout == b"x\n" * 7
    assert subprocess.run(Task("fail", "false", 7).plain, check=False).returncode != 0
