"""The soak sees what is left of a sandbox, and finds nothing where nothing is."""

import os
from pathlib import Path

import pytest
from aisbx.types import RunRequest

from benchmarks import soak


def test_what_is_left_is_seen(tmp_path: Path) -> None:
    work = soak.Soak(tmp_path.resolve(), 1)
    work.cycle("first")
    before = soak.left(work.home)
    work.engine.sandboxes.create(
        RunRequest(command=(), cwd=str(work.project)), soak.WHO, "soak", "work", float(soak.LIFE)
    )
    descriptor = os.open(work.project, os.O_RDONLY)
    more = soak.left(work.home).beyond(before)
    os.close(descriptor)
    assert {"processes", "namespaces", "files", "descriptors"} <= more.keys()
    assert len(more["processes"]) == 4  # the tool, the first process, who keeps its time and who watches it
    work.engine.sandboxes.destroy("work", soak.WHO, "soak")
    assert not soak.left(work.home).beyond(before)


def test_a_short_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert soak.main(["--cycles", "3", "--kills", "3", "--seed", "7"]) == 0
    assert "nothing is left, nothing is lost" in capsys.readouterr().out


def test_a_short_one_of_a_supervisor(capsys: pytest.CaptureFixture[str]) -> None:
    code = soak.main(["--supervisor", "--minutes", "0.1", "--clients", "3", "--kills", "1", "--seed", "7"])
    said = capsys.readouterr().out
    assert code == 0, said
    assert "nothing is left, nothing is lost" in said
